import assert from 'node:assert/strict'
import type { RecordId } from '../../../../src/chain/ids.ts'
import type { KeyAnswer } from '../../../../src/network/key-release/messages.ts'
import { seedOf } from '../../../helpers/chain-node.ts'
import { withDirectory } from '../../storage/blockstore-helpers.ts'
import { addSecret, type Network, never, type Sharer, userOf, withNetwork } from './exchange.ts'
import { createPrivateNode } from './private-node.ts'

/**
 * Bob may read once, and stated two accesses before any key left. Ada's device gave the key for the first one; then
 * somebody puts its directory back as it was before.
 */
async function withOldDirectory(
  run: (parts: {
    network: Network
    old: Sharer
    first: RecordId
    second: RecordId
    catchUp: () => Promise<void>
  }) => Promise<void>,
): Promise<void> {
  await withNetwork((network) =>
    withDirectory(async (dir) => {
      const { ada, bob, clock } = network
      const file = await addSecret(network, ada)
      const { grant } = await ada.exchange.grants.grant(file, userOf(bob), { downloads: 1 }, never)
      await network.settle()
      const body = { version: file, grant: grant as RecordId }
      const first = await bob.publish({ type: 'access', body })
      const second = await bob.publish({ type: 'access', body })
      await network.settle()
      const { height } = ada.store.tip()
      const node = await createPrivateNode('ada', { dir, clock, userSecret: seedOf('ada user') })
      const old: Sharer = {
        ...node,
        exchange: ada.exchange,
        away: new Set(),
        answer: ada.answer,
        asked: [],
      }
      const take = async (from: number, to: number): Promise<void> => {
        for (let at = from; at <= to; at += 1) {
          const id = ada.store.idAt(at)
          const header = id && ada.store.headerBytes(id)
          const block = id && ada.store.body(id)
          assert.ok(header && block)
          await old.chain.acceptBlock(header, block, ada.device)
        }
      }
      await take(1, height)
      const given = await ada.exchange.keyHolder.release(first.identity, bob.device, never)
      assert.equal(given.type, 'key')
      await network.settle()
      await run({
        network,
        old,
        first: first.identity,
        second: second.identity,
        catchUp: () => take(height + 1, ada.store.tip().height),
      })
      await old.chain.stop()
    }),
  )
}

const codeOf = (answer: KeyAnswer): string => (answer.type === 'key' ? 'key' : answer.code)

describe('an old data directory that was put back', () => {
  it('gives no key before it has learned again what it gave out', () =>
    withOldDirectory(async ({ network, old, first, second, catchUp }) => {
      const { bob } = network
      const synced = Promise.withResolvers<void>()
      const { keyHolder } = network.again(old, { ready: () => synced.promise })
      let answered = false
      const asked = keyHolder.release(second, bob.device, never).finally(() => {
        answered = true
      })
      await catchUp()
      assert.equal(answered, false)
      synced.resolve()
      assert.equal(codeOf(await asked), 'USED_UP')
      assert.equal(old.store.projections.releasesOf(second).length, 0)
      assert.equal(codeOf(await keyHolder.release(first, bob.device, never)), 'key')
    }))

  it('gave one too many while nobody could be reached: not a second time', () =>
    withOldDirectory(async ({ network, old, first, second, catchUp }) => {
      const { bob } = network
      const { keyHolder } = network.again(old)
      // Nobody told it: that is what its waiting is for.
      assert.equal(codeOf(await keyHolder.release(second, bob.device, never)), 'key')
      await catchUp()
      assert.equal(codeOf(await keyHolder.release(second, bob.device, never)), 'USED_UP')
      assert.equal(codeOf(await keyHolder.release(first, bob.device, never)), 'key')
    }))
})
