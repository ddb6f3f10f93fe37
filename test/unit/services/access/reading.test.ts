import assert from 'node:assert/strict'
import type { FileId } from '../../../../src/chain/ids.ts'
import { networkIdOf } from '../../../../src/chain/params.ts'
import { codeOf, messageOf } from '../../../../src/common/errors.ts'
import { sealKey, sealPurposes } from '../../../../src/services/access/seals.ts'
import type { ReadingWait } from '../../../../src/services/files/secrets.ts'
import { dagBlocks } from '../../../../src/storage/pins-walk.ts'
import { addSecret, type Network, never, type Sharer, versionOf, withNetwork } from './exchange.ts'
import { copyContent } from './private-node.ts'

/** A call that waits, with what it was told meanwhile. */
function begin(
  reader: Sharer,
  file: FileId,
  options: { signal?: AbortSignal; exchange?: Sharer['exchange'] } = {},
) {
  const waits: ReadingWait[] = []
  const { signal = never, exchange = reader.exchange } = options
  const key = exchange.reading
    .contentKey(versionOf(reader, file), { signal, onWait: (wait) => void waits.push(wait) })
    .then(
      (bytes) => ({ bytes, code: 'key', message: '' }),
      (error: unknown) => ({
        bytes: undefined,
        code: codeOf(error),
        message: messageOf(error),
      }),
    )
  return { key, waits }
}

/** Promises that follow from what happened so far. */
async function rest(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** Blocks and time go on until the call ends. */
async function finish<T>(network: Network, call: Promise<T>): Promise<T> {
  let done = false
  void call.finally(() => {
    done = true
  })
  for (let round = 0; round < 40 && !done; round += 1) {
    await network.settle()
    network.clock.time += 5_000
    await rest()
  }
  return call
}

const accessesOf = (node: Sharer, file: FileId) => node.exchange.grants.accesses(file)

async function keyOfFile(ada: Sharer, file: FileId): Promise<Uint8Array | undefined> {
  const record = ada.store.record(file)?.record
  assert.ok(record?.type === 'file.add')
  return ada.keys.contentKeyOf(record)
}

describe('a reader of a private file', () => {
  it('states the access, waits for the block, and gets the key of the owner: one read, one access', () =>
    withNetwork(async (network) => {
      const { ada, bob } = network
      const file = await addSecret(network, ada)
      await ada.exchange.grants.grant(file, 'bob', { downloads: 3 }, never)
      await network.settle()
      const call = begin(bob, file)
      await rest()
      assert.deepEqual(call.waits, [{ for: 'confirmation', holders: [] }])
      const { bytes } = await finish(network, call.key)
      assert.deepEqual(bytes, await keyOfFile(ada, file))
      // In memory for what is read in pieces; nothing more is stated or counted.
      assert.deepEqual((await finish(network, begin(bob, file).key)).bytes, bytes)
      assert.equal(accessesOf(bob, file).length, 1)
      await network.settle()
      const [log] = accessesOf(ada, file)
      assert.equal(log?.outcome, 'released')
      assert.equal(log?.releasedBy?.id, ada.device)
      assert.equal(ada.exchange.grants.list(file)[0]?.left, 2)
      // Later it is another read.
      network.clock.time += 11 * 60_000
      assert.equal((await finish(network, begin(bob, file).key)).code, 'key')
      assert.equal(accessesOf(bob, file).length, 2)
    }))

  it('who reads the same at once shares one access', () =>
    withNetwork(async (network) => {
      const { ada, bob } = network
      const file = await addSecret(network, ada)
      await ada.exchange.grants.grant(file, 'bob', { downloads: 1 }, never)
      await network.settle()
      const calls = [begin(bob, file), begin(bob, file), begin(bob, file)]
      for (const { key } of calls) assert.equal((await finish(network, key)).code, 'key')
      assert.equal(accessesOf(bob, file).length, 1)
    }))

  it('ACCESS_DENIED in words, and the attempt stands in the log: without a grant', () =>
    withNetwork(async (network) => {
      const { ada, carol } = network
      const file = await addSecret(network, ada)
      const { code, message } = await finish(network, begin(carol, file).key)
      assert.equal(code, 'ACCESS_DENIED')
      assert.match(message, /private and its owner granted nothing/)
      const [log] = accessesOf(ada, file)
      assert.equal(log?.outcome, 'denied')
      assert.equal(log?.reason, 'ACCESS_NO_GRANT')
      assert.equal(log?.user.name, 'carol')
    }))

  it('ACCESS_DENIED: expired, used up, revoked; each attempt is in the log', () =>
    withNetwork(async (network) => {
      const { ada, bob, clock } = network
      const file = await addSecret(network, ada)
      const { grants } = ada.exchange
      const attempt = async (pattern: RegExp): Promise<void> => {
        clock.time += 11 * 60_000
        const { code, message } = await finish(network, begin(bob, file).key)
        assert.equal(code, 'ACCESS_DENIED')
        assert.match(message, pattern)
      }
      await grants.grant(file, 'bob', { expires: clock.time + 60_000 }, never)
      await network.settle()
      await attempt(/expired/)
      await grants.grant(file, 'bob', { downloads: 1 }, never)
      await network.settle()
      assert.equal((await finish(network, begin(bob, file).key)).code, 'key')
      await attempt(/downloads of the grant are used/)
      await grants.grant(file, 'bob', {}, never)
      await network.settle()
      await grants.revoke(file, 'bob', never)
      await attempt(/took the grant back/)
      assert.deepEqual(
        accessesOf(ada, file).map(({ outcome, reason }) => reason ?? outcome),
        ['ACCESS_EXPIRED', 'released', 'ACCESS_USED_UP', 'ACCESS_REVOKED'],
      )
    }))

  it('a key in memory is forgotten with the revocation, and when the time is over', () =>
    withNetwork(async (network) => {
      const { ada, bob, clock } = network
      const file = await addSecret(network, ada)
      const { grants } = ada.exchange
      const read = async (): Promise<string> => (await finish(network, begin(bob, file).key)).code
      await grants.grant(file, 'bob', {}, never)
      await network.settle()
      assert.equal(await read(), 'key')
      await grants.revoke(file, 'bob', never)
      await network.settle()
      assert.equal(await read(), 'ACCESS_DENIED')
      await grants.grant(file, 'bob', { expires: clock.time + 5 * 60_000 }, never)
      await network.settle()
      assert.equal(await read(), 'key')
      clock.time += 6 * 60_000
      assert.equal(await read(), 'ACCESS_DENIED')
    }))

  it('KEY_HOLDER_AWAY: says whom it waits for; the same access goes on later, after a restart too', () =>
    withNetwork(async (network) => {
      const { ada, bob, phone } = network
      const file = await addSecret(network, ada)
      await ada.exchange.grants.grant(file, 'bob', { downloads: 1 }, never)
      await network.settle()
      for (const holder of [ada, phone]) bob.away.add(holder.device)
      const call = begin(bob, file)
      await finish(network, Promise.race([call.key, rest()]))
      for (let round = 0; round < 5; round += 1) {
        network.clock.time += 5_000
        await rest()
      }
      assert.deepEqual(call.waits, [
        { for: 'confirmation', holders: [] },
        { for: 'key-holder', holders: ["ada's laptop of ada", 'phone of ada'].sort() },
      ])
      network.clock.time += 10 * 60_000
      const { code, message } = await call.key
      assert.equal(code, 'KEY_HOLDER_AWAY')
      assert.match(message, /ada's laptop of ada/)
      assert.equal(accessesOf(bob, file)[0]?.outcome, 'allowed')
      // Nothing is in memory any more; the holder is back.
      bob.away.clear()
      const again = begin(bob, file, { exchange: network.again(bob) })
      assert.equal((await finish(network, again.key)).code, 'key')
      assert.equal(accessesOf(bob, file).length, 1)
      await network.settle()
      assert.equal(ada.exchange.grants.list(file)[0]?.status, 'used-up')
    }))

  it('a holder that gives a wrong key is passed over', () =>
    withNetwork(async (network) => {
      const { ada, bob, carol } = network
      const file = await addSecret(network, ada)
      await ada.exchange.grants.grant(file, 'bob', {}, never)
      await ada.exchange.holders.add(file, carol.device, never)
      await network.settle()
      const { root } = versionOf(bob, file).record.body
      const cids = []
      for await (const { cid } of dagBlocks(root, (id) => ada.content.bytes(id))) cids.push(cid)
      await copyContent(ada, bob, cids)
      const purposes = sealPurposes(networkIdOf(ada.params))
      carol.answer = async (access) => ({
        type: 'key',
        sealed: await sealKey(
          bob.keyring.device.publicKey,
          new Uint8Array(32).fill(9),
          purposes.release(access),
        ),
      })
      const { bytes } = await finish(network, begin(bob, file).key)
      assert.deepEqual(bytes, await keyOfFile(ada, file))
      assert.ok(carol.asked.includes(bob.device), 'the liar was asked first')
    }))

  it('asks again after the next block when the holder does not know the access yet', () =>
    withNetwork(async (network) => {
      const { ada, bob } = network
      const file = await addSecret(network, ada)
      await ada.exchange.grants.grant(file, 'bob', {}, never)
      await network.settle()
      const { answer } = ada
      let refusals = 0
      ada.answer = async (access, from) => {
        refusals += 1
        if (refusals > 2) return answer(access, from)
        return { type: 'refused', code: 'NOT_CONFIRMED' }
      }
      assert.equal((await finish(network, begin(bob, file).key)).code, 'key')
      assert.equal(refusals, 3)
    }))

  it('a call that is broken off ends with its reason', () =>
    withNetwork(async (network) => {
      const { ada, bob } = network
      const file = await addSecret(network, ada)
      const ending = new AbortController()
      const call = begin(bob, file, { signal: ending.signal })
      await rest()
      ending.abort(Object.assign(new Error('enough'), { code: 'ENOUGH' }))
      assert.equal((await call.key).code, 'ENOUGH')
    }))
})
