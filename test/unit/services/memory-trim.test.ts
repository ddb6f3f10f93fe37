import { equal } from 'node:assert/strict'
import { systemClock } from '../../../src/common/clock.ts'
import { createMemoryTrim, LOOK_MS, QUIET_SHARE } from '../../../src/services/memory-trim.ts'

describe('memory trim', () => {
  it('collects when the node is quiet and its heap has grown, and not again before it grows', async () => {
    let next: (() => void) | undefined
    let usage = { cpuMs: 1000, heapBytes: 35_000_000 }
    let collections = 0
    const trim = createMemoryTrim({
      clock: {
        ...systemClock,
        after: (_, run) => {
          next = run
          return () => {
            next = undefined
          }
        },
      },
      usage: () => usage,
      collect: () => {
        collections += 1
        usage = { ...usage, heapBytes: 19_000_000 }
      },
    })
    const pass = (cpuMs: number, heapBytes: number): void => {
      usage = { cpuMs: usage.cpuMs + cpuMs, heapBytes }
      next?.()
    }
    await trim.start()
    pass(LOOK_MS * QUIET_SHARE + 1, 35_000_000)
    equal(collections, 0, 'it was busy')
    pass(10, 35_000_000)
    equal(collections, 1)
    pass(10, 20_000_000)
    equal(collections, 1, 'nothing to win')
    pass(10, 40_000_000)
    equal(collections, 2)
    await trim.stop()
    equal(next, undefined)
  })

  it('collects the garbage of this process', async () => {
    const runs: (() => void)[] = []
    const clock = {
      ...systemClock,
      after: (_: number, run: () => void) => {
        runs.push(run)
        return () => {}
      },
    }
    const trim = createMemoryTrim({ clock, usage: () => ({ cpuMs: 0, heapBytes: 1e9 }) })
    await trim.start()
    const reference = new WeakRef({ garbage: true })
    await new Promise(setImmediate)
    runs[0]?.()
    equal(reference.deref(), undefined)
    await trim.stop()
  })
})
