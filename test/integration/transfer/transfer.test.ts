import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { join } from 'node:path'
import { codeOf } from '../../../src/common/errors.ts'
import { KIB, MIB } from '../../../src/common/limits.ts'
import { addContent, type Device, storedBytes, withDevices } from './devices.ts'
import { startSlowLink } from './slow-link.ts'

const addressOf = (device: Device): string => device.host.addresses()[0] ?? ''
const signal = (): AbortSignal => AbortSignal.timeout(15_000)

describe('transfer: over libp2p', () => {
  const devices = withDevices()

  it('brings a file of some leaves', async () => {
    const [a, b] = [await devices.start(), await devices.start()]
    const root = await addContent(a.store, 9 * MIB, MIB, 1)
    await b.dial(addressOf(a))
    let last = 0
    let total: number | undefined
    await b.transfer.fetchDag(root, {
      signal: signal(),
      onProgress: (progress) => {
        last = progress.bytes
        total = progress.total
      },
    })
    assert.equal(last, total)
    assert.equal(await storedBytes(b.store), await storedBytes(a.store))
    assert.deepEqual([...(await b.transfer.holders(root))], [[a.host.device, 'complete']])
  })

  it('works in both directions at once over one connection', async () => {
    const [a, b] = [await devices.start(), await devices.start()]
    const ours = await addContent(a.store, 4 * MIB, 64 * KIB, 1)
    const theirs = await addContent(b.store, 4 * MIB, 64 * KIB, 1000)
    await b.dial(addressOf(a))
    await Promise.all([
      b.transfer.fetchDag(ours, { signal: signal() }),
      a.transfer.fetchDag(theirs, { signal: signal() }),
    ])
    assert.equal(await storedBytes(b.store), await storedBytes(a.store))
  })

  it('goes on with the second source when the first one is gone', async () => {
    const slow = { uploadBytesPerSecond: 8 * MIB }
    const [a, c] = [await devices.start(slow), await devices.start(slow)]
    const b = await devices.start()
    const root = await addContent(a.store, 6 * MIB, 256 * KIB, 1)
    await addContent(c.store, 6 * MIB, 256 * KIB, 1)
    await b.dial(addressOf(a))
    await b.dial(addressOf(c))
    let stopping: Promise<void> | undefined
    await b.transfer.fetchDag(root, {
      signal: signal(),
      onProgress: ({ bytes }) => {
        if (bytes > 2 * MIB) stopping ??= a.host.stop()
      },
    })
    assert.ok(stopping !== undefined)
    await stopping
    assert.equal(await storedBytes(b.store), await storedBytes(c.store))
  })

  it('a fetch that was killed goes on where it was', async () => {
    const rate = 4 * MIB
    const a = await devices.start({ uploadBytesPerSecond: rate })
    const dir = await devices.directory()
    const size = 8 * MIB
    const root = await addContent(a.store, size, 64 * KIB, 1)
    const run = (stopAt: number): Promise<void> =>
      new Promise((resolve, reject) => {
        const path = join(import.meta.dirname, 'fetcher.ts')
        const child = fork(path, [dir, addressOf(a), root.toString()])
        child.on('message', (message: { bytes?: number; done?: boolean }) => {
          if ((message.bytes ?? 0) > stopAt) child.kill('SIGKILL')
        })
        child.on('error', reject)
        child.on('exit', () => resolve())
      })
    await run(size / 2)
    const atKill = a.transfer.stats().sent
    assert.ok(atKill < size, 'it was killed in the middle')
    await run(Number.POSITIVE_INFINITY)
    const again = a.transfer.stats().sent - (await storedBytes(a.store))
    // What was on its way: a quarter of a second of the link, and a block.
    assert.ok(again < rate, `${again} of ${size} bytes came again`)
  })

  it('a slow link carries it, and the pings beside it', async () => {
    const a = await devices.start()
    const b = await devices.start({ pingTimeoutMs: 1500 })
    const root = await addContent(a.store, 6 * MIB, MIB, 1)
    const [, port = '', device = ''] = /tcp\/(\d+)\/p2p\/(\w+)/.exec(addressOf(a)) ?? []
    const link = await startSlowLink(Number(port), (16 * 1_000_000) / 8)
    let ended = 0
    b.host.libp2p.addEventListener('connection:close', () => {
      ended += 1
    })
    try {
      await b.dial(`/ip4/127.0.0.1/tcp/${link.port}/p2p/${device}`)
      await b.transfer.fetchDag(root, { signal: signal() })
      assert.equal(ended, 0, 'the connection stood')
    } finally {
      await link.close()
    }
  })

  it('NO_SOURCE when nobody has it', async () => {
    const [a, b] = [await devices.start(), await devices.start()]
    const elsewhere = await devices.start()
    const root = await addContent(elsewhere.store, 100 * KIB, 64 * KIB, 5)
    await b.dial(addressOf(a))
    const failed = b.transfer.fetchDag(root, { signal: signal(), patienceMs: 300 })
    assert.equal(await failed.catch(codeOf), 'NO_SOURCE')
  })
})
