import assert from 'node:assert/strict'
import type { RecordId } from '../../../../src/chain/ids.ts'
import { networkIdOf } from '../../../../src/chain/params.ts'
import { readReleased } from '../../../../src/chain/state/grants.ts'
import type { KeyAnswer } from '../../../../src/network/key-release/messages.ts'
import { openKey, sealPurposes } from '../../../../src/services/access/seals.ts'
import { unlike } from '../../../helpers/unlike.ts'
import { addSecret, type Network, never, type Sharer, userOf, withNetwork } from './exchange.ts'

/** A private file of Ada's that Bob may read. */
async function granted(
  network: Network,
  limits: { downloads?: number; expires?: number } = {},
): Promise<{ file: RecordId; grant: RecordId }> {
  const { ada, bob } = network
  const file = await addSecret(network, ada)
  const view = await ada.exchange.grants.grant(file, userOf(bob), limits, never)
  await network.settle()
  return { file, grant: view.grant as RecordId }
}

/** States a read, and waits for the block. */
async function read(
  network: Network,
  who: Sharer,
  version: RecordId,
  grant?: RecordId,
): Promise<RecordId> {
  const body = { version, ...(grant === undefined ? {} : { grant }) }
  const { identity } = await who.publish({ type: 'access', body })
  await network.settle()
  return identity
}

const ask = (holder: Sharer, reader: Sharer, access: RecordId): Promise<KeyAnswer> =>
  holder.exchange.keyHolder.release(access, reader.device, never)

const codeOf = async (answer: Promise<KeyAnswer>): Promise<string> => {
  const given = await answer
  if (given.type === 'key') return 'key'
  return given.reason === undefined ? given.code : `${given.code} ${given.reason}`
}

describe('a key holder', () => {
  it('gives the key to the device that made an allowed access, sealed to it, and has written that down', () =>
    withNetwork(async (network) => {
      const { ada, bob, carol } = network
      const { file, grant } = await granted(network)
      const access = await read(network, bob, file, grant)
      const answer = await ask(ada, bob, access)
      assert.ok(answer.type === 'key')
      const purpose = sealPurposes(networkIdOf(ada.params)).release(access)
      const key = await openKey(bob.keyring.device.secret, answer.sealed, purpose)
      const record = ada.store.record(file)?.record
      assert.ok(record?.type === 'file.add')
      assert.deepEqual(key, await ada.keys.contentKeyOf(record))
      assert.equal(await openKey(carol.keyring.device.secret, answer.sealed, purpose), undefined)
      assert.equal(ada.store.projections.releasesOf(access).length, 1)
      await network.settle()
      assert.equal(readReleased(bob.store.state, grant), 1)
    }))

  it('NOT_CONFIRMED: an access that is unknown or not in a block', () =>
    withNetwork(async (network) => {
      const { ada, bob } = network
      const { file, grant } = await granted(network)
      const unknown = unlike(grant) as RecordId
      assert.equal(await codeOf(ask(ada, bob, unknown)), 'NOT_CONFIRMED')
      const { identity } = await bob.publish({ type: 'access', body: { version: file, grant } })
      await network.tell()
      assert.equal(await codeOf(ask(ada, bob, identity)), 'NOT_CONFIRMED')
      await network.settle()
      assert.equal(await codeOf(ask(ada, bob, identity)), 'key')
    }))

  it('ACCESS_DENIED: what the rules denied, with their reason', () =>
    withNetwork(async (network) => {
      const { ada, bob, carol } = network
      const { file, grant } = await granted(network)
      const without = await read(network, bob, file)
      assert.equal(await codeOf(ask(ada, bob, without)), 'ACCESS_DENIED ACCESS_NO_GRANT')
      // A member without a grant, and one who names somebody else's.
      const carols = await read(network, carol, file)
      assert.equal(await codeOf(ask(ada, carol, carols)), 'ACCESS_DENIED ACCESS_NO_GRANT')
      const replayed = await read(network, carol, file, grant)
      assert.equal(await codeOf(ask(ada, carol, replayed)), 'ACCESS_DENIED ACCESS_OTHER_GRANT')
      assert.equal(ada.store.projections.releasesOf(replayed).length, 0)
    }))

  it('NOT_YOUR_ACCESS: somebody else asks with the id of an access', () =>
    withNetwork(async (network) => {
      const { ada, bob, carol, phone } = network
      const { file, grant } = await granted(network)
      const access = await read(network, bob, file, grant)
      for (const other of [carol, phone, ada]) {
        assert.equal(await codeOf(ask(ada, other, access)), 'NOT_YOUR_ACCESS')
      }
      // Also after the key left, and with the id of a record that is no access.
      assert.equal(await codeOf(ask(ada, bob, access)), 'key')
      assert.equal(await codeOf(ask(ada, carol, access)), 'NOT_YOUR_ACCESS')
      assert.equal(await codeOf(ask(ada, bob, grant)), 'NOT_YOUR_ACCESS')
    }))

  it('REVOKED: from the moment at which the revocation is here, in a block or not', () =>
    withNetwork(async (network) => {
      const { ada, bob, phone } = network
      const { file, grant } = await granted(network)
      const access = await read(network, bob, file, grant)
      assert.equal(await codeOf(ask(ada, bob, access)), 'key')
      await phone.publish({ type: 'revoke', body: { grant } })
      assert.equal(await codeOf(ask(ada, bob, access)), 'key', 'not heard of yet')
      await phone.tell(ada)
      assert.equal(await codeOf(ask(ada, bob, access)), 'REVOKED')
      await network.settle()
      assert.equal(await codeOf(ask(ada, bob, access)), 'REVOKED')
    }))

  it('REVOKED: also when the record of the revocation had to leave', () =>
    withNetwork(async (network) => {
      const { ada, bob, phone } = network
      const { file, grant } = await granted(network)
      const access = await read(network, bob, file, grant)
      const revocation = await phone.publish({ type: 'revoke', body: { grant } })
      await phone.tell(ada)
      ada.store.transaction(() => ada.store.evictForeign(0))
      assert.equal(ada.store.hasRecord(revocation.id), false)
      assert.equal(await codeOf(ask(ada, bob, access)), 'REVOKED')
      const restarted = network.again(ada).keyHolder
      assert.equal(await codeOf(restarted.release(access, bob.device, never)), 'REVOKED')
    }))

  it('a revocation by anybody but the owner stops nobody', () =>
    withNetwork(async (network) => {
      const { ada, bob, carol } = network
      const { file, grant } = await granted(network)
      const access = await read(network, bob, file, grant)
      await carol.publish({ type: 'revoke', body: { grant } })
      await network.tell()
      assert.equal(await codeOf(ask(ada, bob, access)), 'key')
      await network.settle()
      assert.equal(await codeOf(ask(ada, bob, access)), 'key')
    }))

  it('EXPIRED: by this device’s clock, though the block was in time', () =>
    withNetwork(async (network) => {
      const { ada, bob, clock } = network
      const { file, grant } = await granted(network, { expires: clock.time + 60_000 })
      const access = await read(network, bob, file, grant)
      const later = await read(network, bob, file, grant)
      assert.equal(await codeOf(ask(ada, bob, access)), 'key')
      clock.time += 60_001
      assert.equal(await codeOf(ask(ada, bob, later)), 'EXPIRED')
      assert.equal(await codeOf(ask(ada, bob, access)), 'EXPIRED')
    }))

  it('USED_UP: as many accesses as were granted, each as often as its device asks', () =>
    withNetwork(async (network) => {
      const { ada, bob } = network
      const { file, grant } = await granted(network, { downloads: 2 })
      const accesses: RecordId[] = []
      for (let count = 0; count < 3; count += 1) {
        accesses.push(await read(network, bob, file, grant))
      }
      const codes = (holder = ada.exchange.keyHolder): Promise<string[]> =>
        Promise.all(accesses.map((access) => codeOf(holder.release(access, bob.device, never))))
      assert.deepEqual(await codes(), ['key', 'key', 'USED_UP'])
      assert.deepEqual(await codes(), ['key', 'key', 'USED_UP'])
      // After a restart what was written down counts: nothing was confirmed since.
      assert.deepEqual(await codes(network.again(ada).keyHolder), ['key', 'key', 'USED_UP'])
      await network.settle()
      assert.deepEqual(await codes(), ['key', 'key', 'USED_UP'])
      assert.equal(readReleased(ada.store.state, grant), 2)
    }))

  it('of many requests at once under a count of one exactly one key leaves', () =>
    withNetwork(async (network) => {
      const { ada, bob } = network
      const { file, grant } = await granted(network, { downloads: 1 })
      const accesses: RecordId[] = []
      for (let count = 0; count < 4; count += 1) {
        const body = { version: file, grant }
        accesses.push((await bob.publish({ type: 'access', body })).identity)
      }
      await network.settle()
      const asked = [...accesses, ...accesses].map((access) => ({
        access,
        answer: codeOf(ask(ada, bob, access)),
      }))
      const given = new Set<RecordId>()
      for (const { access, answer } of asked) if ((await answer) === 'key') given.add(access)
      assert.equal(given.size, 1)
    }))

  it('a release that no key holder signed counts for nothing', () =>
    withNetwork(async (network) => {
      const { ada, bob, carol } = network
      const { file, grant } = await granted(network, { downloads: 1 })
      const access = await read(network, bob, file, grant)
      const other = await read(network, bob, file, grant)
      await carol.publish({ type: 'release', body: { access: other } })
      await network.tell()
      assert.equal(await codeOf(ask(ada, bob, access)), 'key')
    }))

  it('a release of another key holder counts, pending too', () =>
    withNetwork(async (network) => {
      const { ada, bob, carol } = network
      const { file, grant } = await granted(network, { downloads: 1 })
      await ada.exchange.holders.add(file, carol.device, never)
      await network.settle()
      const access = await read(network, bob, file, grant)
      const other = await read(network, bob, file, grant)
      assert.equal(await codeOf(ask(carol, bob, access)), 'key')
      await carol.tell(ada)
      assert.equal(await codeOf(ask(ada, bob, other)), 'USED_UP')
      // It is the same access; who gives its key again does not count it again.
      assert.equal(await codeOf(ask(ada, bob, access)), 'key')
      assert.equal(ada.store.projections.releasesOf(access).length, 1)
    }))

  it('a stolen device of the owner answers no accesses in advance: its releases count, and open nothing', () =>
    withNetwork(async (network) => {
      const { ada, bob, phone, revoked } = network
      const { file, grant } = await granted(network, { downloads: 2 })
      const accesses: RecordId[] = []
      for (let at = 0; at < 5; at += 1) accesses.push(await read(network, bob, file, grant))
      const [first, ...others] = accesses
      assert.ok(first !== undefined)
      assert.equal(await codeOf(ask(ada, bob, first)), 'key')
      revoked.add(phone.device)
      for (const access of others) await phone.publish({ type: 'release', body: { access } })
      await phone.tell(ada)
      for (const access of others) assert.equal(await codeOf(ask(ada, bob, access)), 'USED_UP')
      assert.equal(await codeOf(ask(ada, bob, first)), 'key', 'that one left here')
    }))

  it('REVOKED: also when the revocation came before the grant was in a block, and had to leave', () =>
    withNetwork(async (network) => {
      const { ada, bob, phone } = network
      const file = await addSecret(network, ada)
      const { grant } = await ada.exchange.grants.grant(file, userOf(bob), {}, never)
      await ada.tell(phone)
      const again = network.again(phone)
      const revocation = await ada.publish({ type: 'revoke', body: { grant: grant as RecordId } })
      await ada.tell(phone)
      assert.ok(phone.store.meta(`revoked-grant/${grant}`), revocation.id)
      assert.ok(again)
    }))

  it('NO_KEY_HERE: a device of the owner that the user’s secret was not passed to', () =>
    withNetwork(async (network) => {
      const { bob, phone } = network
      const { file, grant } = await granted(network, { downloads: 1 })
      const access = await read(network, bob, file, grant)
      assert.equal(await codeOf(ask(phone, bob, access)), 'NO_KEY_HERE')
      assert.equal(phone.store.projections.releasesOf(access).length, 0, 'and counts nothing')
    }))

  it('NOT_A_HOLDER: a member whom the owner did not name, or not any more', () =>
    withNetwork(async (network) => {
      const { ada, bob, carol } = network
      const { file, grant } = await granted(network)
      const access = await read(network, bob, file, grant)
      assert.equal(await codeOf(ask(carol, bob, access)), 'NOT_A_HOLDER')
      await ada.exchange.holders.add(file, carol.device, never)
      await network.settle()
      assert.equal(await codeOf(ask(carol, bob, access)), 'key')
      await ada.exchange.holders.remove(file, carol.device, never)
      await network.settle()
      assert.equal(await codeOf(ask(carol, bob, access)), 'NOT_A_HOLDER')
    }))

  it('gives nothing to a device that was revoked, nor as one', () =>
    withNetwork(async (network) => {
      const { ada, bob, revoked } = network
      const { file, grant } = await granted(network)
      const access = await read(network, bob, file, grant)
      revoked.add(bob.device)
      assert.equal(await codeOf(ask(ada, bob, access)), 'ACCESS_DENIED DEVICE_REVOKED')
      revoked.clear()
      revoked.add(ada.device)
      assert.equal(await codeOf(ask(ada, bob, access)), 'NOT_A_HOLDER')
    }))

  it('ACCESS_DENIED: a grant that the owner replaced', () =>
    withNetwork(async (network) => {
      const { ada, bob } = network
      const { file, grant } = await granted(network, { downloads: 3 })
      const access = await read(network, bob, file, grant)
      await ada.exchange.grants.grant(file, 'bob', { downloads: 1 }, never)
      await network.settle()
      assert.equal(await codeOf(ask(ada, bob, access)), 'ACCESS_DENIED ACCESS_REPLACED')
    }))
})
