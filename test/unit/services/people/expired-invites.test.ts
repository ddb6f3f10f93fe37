import assert from 'node:assert/strict'
import type { RecordId } from '../../../../src/chain/ids.ts'
import { readInvite } from '../../../../src/chain/state/invites.ts'
import type { Startable } from '../../../../src/common/lifecycle.ts'
import { silentLogger } from '../../../../src/common/logger.ts'
import { createExpiredInvites } from '../../../../src/services/people/expired-invites.ts'
import { createInviteBook } from '../../../../src/services/people/invite-book.ts'
import {
  createPeopleIndex,
  type PeopleIndex,
} from '../../../../src/services/people/people-index.ts'
import { type ChainNode, createChainNode, handClock, seedOf } from '../../../helpers/chain-node.ts'

const HOUR_MS = 60 * 60_000

describe('invites that expired', () => {
  let clock: ReturnType<typeof handClock>
  let ada: ChainNode
  let index: PeopleIndex
  let part: Startable

  beforeEach(async () => {
    clock = handClock(1_700_000_100_000)
    ada = createChainNode('ada', { clock })
    await ada.join()
    const { store, events, chain } = ada
    index = createPeopleIndex({ store, events })
    index.start()
    const components = { store, index, chain, clock, logger: silentLogger }
    part = createExpiredInvites(components, { device: ada.device })
    await part.start()
  })
  afterEach(async () => {
    await part.stop()
    index.stop()
  })
  const invite = async (name: string, ms: number): Promise<RecordId> => {
    const body = { key: seedOf(name), role: 'member', ownDevice: true } as const
    const expires = clock.now() + ms
    const record = await ada.publish({ type: 'invite', body: { ...body, expires } })
    return record.identity
  }
  /** Moves the clock; what that set off is done. */
  const pass = async (ms: number): Promise<void> => {
    clock.time += ms
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
    await ada.mine()
  }
  const isGone = (id: RecordId): boolean => readInvite(ada.store.state, id)?.used === true

  it('are taken back by the device that made them, and still shown as expired', async () => {
    const short = await invite('short', HOUR_MS / 2)
    const long = await invite('long', 24 * HOUR_MS)
    await ada.mine()
    await pass(HOUR_MS)
    assert.equal(isGone(short), false, 'an hour for what was vouched for in time')
    await pass(HOUR_MS)
    await pass(HOUR_MS)
    assert.deepEqual([isGone(short), isGone(long)], [true, false])
    const book = createInviteBook({ store: ada.store, index, isProven: () => false, clock })
    const record = index.invite(short)
    assert.ok(record)
    assert.equal(book.standing(record), 'INVITE_EXPIRED')
    const count = ada.store.recordCount()
    await pass(HOUR_MS)
    assert.equal(ada.store.recordCount(), count, 'once')
  })
})
