import assert from 'node:assert/strict'
import type { DeviceId } from '../../../src/chain/ids.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { networkError } from '../../../src/network/errors.ts'
import type { SyncPeer } from '../../../src/network/sync/peer.ts'
import { createSyncRunner } from '../../../src/network/sync/runner.ts'
import { createTurn } from '../../../src/network/sync/turn.ts'
import { fakeDevice } from './fake-chain.ts'
import { createVirtualClock } from './virtual-clock.ts'

const ONE = fakeDevice(1)
const TWO = fakeDevice(2)

function setup(
  fails: (device: DeviceId, run: number) => 'reject' | 'ignore' | undefined = () => undefined,
) {
  const clock = createVirtualClock()
  const runs: DeviceId[] = []
  const offences: string[] = []
  const runner = createSyncRunner(
    {
      client: {
        run: async ({ id }) => {
          runs.push(id)
          const verdict = fails(id, runs.length)
          if (verdict === 'reject') throw networkError('SYNC_WORK_CLAIM')
          if (verdict === 'ignore') throw networkError('SYNC_BODY_WITHHELD')
          return { peer: id, headers: 0, blocks: 0, records: 0, clockDifference: 0 }
        },
      },
      peer: (device) => ({ id: device }) as SyncPeer,
      clock,
      logger: silentLogger,
      onOffence: (_, code) => void offences.push(code),
    },
    { intervalMs: 10_000 },
  )
  return { clock, runner, runs, offences }
}

describe('sync runner', () => {
  it('runs at a connection and at intervals, and no longer after the end of it', async () => {
    const { clock, runner, runs } = setup()
    await runner.start()
    runner.connected(ONE)
    await clock.advance(35_000)
    assert.equal(runs.length, 4)
    runner.disconnected(ONE)
    await clock.advance(35_000)
    assert.equal(runs.length, 4)
    await runner.stop()
  })

  it('turns a flood of hints into few runs, and tries again when a hint brought nothing', async () => {
    const { clock, runner, runs } = setup()
    await runner.start()
    runner.connected(ONE)
    await clock.advance(1000)
    for (let index = 0; index < 1000; index += 1) runner.request(ONE)
    await clock.advance(9000)
    assert.equal(runs.length, 1 + 1 + 3)
    await runner.stop()
  })

  it('asks the others at once when one fails, and does not run hot when all fail', async () => {
    const { clock, runner, runs, offences } = setup((device) =>
      device === ONE ? 'reject' : 'ignore',
    )
    await runner.start()
    runner.connected(TWO)
    runner.connected(ONE)
    await clock.advance(60_000)
    assert.ok(offences.length > 0 && offences.every((code) => code === 'SYNC_WORK_CLAIM'))
    assert.ok(runs.length < 30, `${runs.length} runs`)
    await runner.stop()
  })

  it('stops in the middle of a run', async () => {
    const { clock, runner, runs } = setup()
    await runner.start()
    runner.connected(ONE)
    await clock.advance(0)
    await runner.stop()
    await clock.advance(100_000)
    assert.equal(runs.length, 1)
  })
})

describe('turn', () => {
  it('lets one run at a time, unless the one makes no progress', async () => {
    const clock = createVirtualClock()
    const turn = createTurn(clock, 5000)
    const { signal } = new AbortController()
    const order: string[] = []
    const first = Promise.withResolvers<void>()
    let progress = (): void => {}
    const one = turn.take(async (made) => {
      progress = made
      order.push('one')
      await first.promise
    }, signal)
    const two = turn.take(async () => void order.push('two'), signal)
    await clock.advance(4000)
    progress()
    await clock.advance(4000)
    assert.deepEqual(order, ['one'])
    await clock.advance(1000)
    assert.deepEqual(order, ['one', 'two'])
    first.resolve()
    await Promise.all([one, two])
  })

  it('gives the turn on at once when a run ends', async () => {
    const clock = createVirtualClock()
    const turn = createTurn(clock, 5000)
    const { signal } = new AbortController()
    const jobs = [1, 2, 3].map((number) => turn.take(async () => number, signal))
    assert.deepEqual(await Promise.all(jobs), [1, 2, 3])
  })
})
