import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import type { Clock } from '../../../src/common/clock.ts'
import { systemClock } from '../../../src/common/clock.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { createMiner, IDLE_MS, type Miner } from '../../../src/services/miner.ts'
import { createSearch } from '../../../src/services/miner-work.ts'

/** A difficulty that nobody meets. */
const HOPELESS = Number.MAX_SAFE_INTEGER
/** Milliseconds within which a stopped thread must be free again; about two are usual. */
const STOP_LIMIT_MS = 250

function digestWith(header: Uint8Array, nonce: Uint8Array): bigint {
  const whole = Uint8Array.from(header)
  whole.set(nonce, whole.length - nonce.length)
  return BigInt(`0x${createHash('sha256').update(whole).digest('hex')}`)
}

const meets = (digest: bigint, difficulty: number): boolean =>
  digest < (1n << 256n) / BigInt(difficulty)

describe('miner: the search', () => {
  it('finds the first nonce that meets the difficulty, for headers of any length', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 8, maxLength: 400 }),
        fc.integer({ min: 1, max: 300 }),
        (header, difficulty) => {
          let nonce: Uint8Array | undefined
          const search = createSearch(header, difficulty)
          while (nonce === undefined) nonce = search.next(7)
          const found = new DataView(nonce.buffer).getBigUint64(0)
          for (let n = 0n; n <= found; n += 1n) {
            const tried = new Uint8Array(8)
            new DataView(tried.buffer).setBigUint64(0, n)
            equal(meets(digestWith(header, tried), difficulty), n === found)
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  it('takes the first nonce at difficulty 1 and none at an impossible one', () => {
    const header = new Uint8Array(330)
    deepEqual(createSearch(header, 1).next(1), new Uint8Array(8))
    equal(createSearch(header, HOPELESS).next(2000), undefined)
  })
})

describe('miner: the thread', () => {
  let miner: Miner
  const never = new AbortController().signal
  const header = new Uint8Array(334).fill(3)

  beforeEach(async () => {
    miner = createMiner({ logger: silentLogger })
    await miner.start()
  })
  afterEach(() => miner.stop())

  it('solves one header after the other', async () => {
    for (const difficulty of [1, 256, 20_000]) {
      const nonce = await miner.solve(header, difficulty, never)
      ok(meets(digestWith(header, nonce), difficulty))
    }
  })

  it('leaves the main thread free and stops within milliseconds', async () => {
    await miner.solve(header, 1, never)
    const stop = new AbortController()
    const hopeless = miner.solve(header, HOPELESS, stop.signal)
    await delay(30)
    stop.abort(new Error('a new tip'))
    await rejects(hopeless, /a new tip/)
    const before = performance.now()
    await miner.solve(header, 1, never)
    const took = performance.now() - before
    ok(took < STOP_LIMIT_MS, `the next search waited ${took} ms for the thread`)
  })

  it('does not begin a search whose signal aborted', async () => {
    await rejects(miner.solve(header, 1, AbortSignal.abort(new Error('too late'))), /too late/)
  })

  it('MINER_STOPPED: before start, after stop, and for the search that stop ends', async () => {
    const other = createMiner({ logger: silentLogger })
    await rejects(other.solve(header, 1, never), { code: 'MINER_STOPPED' })
    const hopeless = rejects(miner.solve(header, HOPELESS, never), { code: 'MINER_STOPPED' })
    await miner.stop()
    await hopeless
    await rejects(miner.solve(header, 1, never), { code: 'MINER_STOPPED' })
    await miner.stop()
  })

  it('ends its thread after idling and starts another for the next search', async () => {
    const timers: (() => void)[] = []
    const clock: Clock = {
      ...systemClock,
      after: (ms, run) => {
        equal(ms, IDLE_MS)
        timers.push(run)
        return () => void timers.splice(timers.indexOf(run), 1)
      },
    }
    const idling = createMiner({ logger: silentLogger, clock })
    await idling.start()
    await idling.solve(header, 5, never)
    equal(timers.length, 1)
    timers[0]?.()
    ok(meets(digestWith(header, await idling.solve(header, 50, never)), 50))
    await idling.stop()
  })
})
