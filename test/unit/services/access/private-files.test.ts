import assert from 'node:assert/strict'
import type { CID } from 'multiformats/cid'
import { networkIdOf } from '../../../../src/chain/params.ts'
import { readDevice } from '../../../../src/chain/state/devices.ts'
import { readInvite } from '../../../../src/chain/state/invites.ts'
import { readUserKeys } from '../../../../src/chain/state/users.ts'
import { publicKeyOf } from '../../../../src/common/crypto.ts'
import { sealKey, sealPurposes } from '../../../../src/services/access/seals.ts'
import { dagBlocks } from '../../../../src/storage/pins-walk.ts'
import { handClock, seedOf } from '../../../helpers/chain-node.ts'
import { withDirectory } from '../../storage/blockstore-helpers.ts'
import { streamOf, textOf } from '../files/files-node.ts'
import { copyContent, createPrivateNode, keyOf, type PrivateNode } from './private-node.ts'

const START = 1_700_000_100_000
// Not a timer: it would run from the load of this file on. Each test has its own limit.
const { signal } = new AbortController()
const SECRET = 'a poem about stones'
const NAME = 'poem-of-ada.txt'

type Clock = ReturnType<typeof handClock>

async function withDevices(
  run: (devices: {
    ada: PrivateNode
    phone: PrivateNode
    bob: PrivateNode
    clock: Clock
    dir: string
  }) => Promise<void>,
): Promise<void> {
  await withDirectory(async (dir) => {
    const clock = handClock(START)
    const kit = seedOf('kit of ada')
    const ada = await createPrivateNode('ada', { dir, clock, kit, userSecret: seedOf('ada user') })
    const phone = await createPrivateNode('phone', { dir, clock })
    const bob = await createPrivateNode('bob', { dir, clock, userSecret: seedOf('bob user') })
    const all = [ada, phone, bob]
    const user = await ada.joinAsUser()
    await bob.joinAsUser()
    await ada.tell(phone, bob)
    await bob.tell(ada, phone)
    await phone.joinAsDevice(user, 'ada')
    await phone.tell(ada, bob)
    await mine(ada, ...all)
    for (const each of all) await each.opening.start()
    await run({ ada, phone, bob, clock, dir })
    for (const each of all) {
      await each.sharing.stop()
      await each.opening.stop()
      await each.chain.stop()
    }
  })
}

/** Blocks of one miner until nothing is left, given to all. */
async function mine(miner: PrivateNode, ...others: PrivateNode[]): Promise<void> {
  for (;;) {
    const block = await miner.mine()
    if (block === undefined) break
    const header = miner.store.headerBytes(miner.store.tip().id)
    if (header === undefined) throw new Error('the tip has a header')
    for (const other of others) {
      if (other !== miner) await other.chain.acceptBlock(header, block.body.bytes, miner.device)
    }
  }
}

const add = (node: PrivateNode, text = SECRET, name = NAME) =>
  node.files.add(streamOf(text), { name }, { signal })
const contentOf = async (root: string, node: PrivateNode): Promise<CID[]> => {
  const cids: CID[] = []
  for await (const { cid } of dagBlocks(root, (id) => node.content.bytes(id))) cids.push(cid)
  return cids
}

describe('private files', () => {
  it('are private unless somebody says otherwise; their owner lists and reads them by name', () =>
    withDevices(async ({ ada }) => {
      const added = await add(ada)
      await ada.opening.idle()
      const info = ada.files.info(ada.files.find(NAME).file)
      assert.equal(info.visibility, 'private')
      assert.equal(info.size, SECRET.length)
      assert.equal(info.sha256, added.sha256)
      assert.equal(await textOf(ada.files.read(added.file, {}, signal)), SECRET)
      const part = ada.files.read(added.file, { offset: 2, length: 4 }, signal)
      assert.equal(await textOf(part), SECRET.slice(2, 6))
    }))

  it('stand nowhere in plain: not in a record, not in a block, not on the disk', () =>
    withDevices(async ({ ada, bob }) => {
      const added = await add(ada)
      await ada.tell(bob)
      const record = ada.store.record(added.record as never)?.record
      assert.ok(record !== undefined)
      for (const word of [NAME, 'poem', SECRET, 'text/plain', added.sha256]) {
        assert.ok(!Buffer.from(record.bytes).includes(word), word)
        assert.ok(!Buffer.from(record.bytes).includes(Buffer.from(word, 'hex')) || word.length < 64)
      }
      for (const cid of await contentOf(added.root, ada)) {
        assert.ok(!Buffer.from(await ada.content.bytes(cid)).includes('poem'))
      }
      await bob.opening.idle()
      assert.throws(() => bob.files.find(NAME), { code: 'FILE_NOT_FOUND' })
      const seen = bob.files.info(added.file)
      assert.deepEqual(
        [seen.name, seen.size, seen.sha256, seen.mediaType],
        [null, null, null, null],
      )
      assert.throws(() => bob.files.read(added.file, {}, signal), { code: 'FILE_SEALED' })
    }))

  it('another device of the owner reads them once the secret was passed on', () =>
    withDevices(async ({ ada, phone, bob }) => {
      const added = await add(ada)
      await ada.tell(phone, bob)
      await phone.opening.idle()
      assert.throws(() => phone.files.read(added.file, {}, signal), { code: 'FILE_SEALED' })
      await ada.sharing.start()
      await ada.sharing.settle()
      await ada.tell(phone, bob)
      await phone.opening.idle()
      await copyContent(ada, phone, await contentOf(added.root, ada))
      assert.equal(phone.files.find(NAME).file, added.file)
      assert.equal(await textOf(phone.files.read(added.file, {}, signal)), SECRET)
      await bob.opening.idle()
      assert.equal(bob.files.info(added.file).name, null)
      // And the phone adds files that the laptop reads.
      const other = await add(phone, 'from the phone', 'phone.txt')
      await phone.tell(ada)
      await ada.opening.idle()
      assert.equal(ada.files.find('phone.txt').file, other.file)
    }))

  it('a grant opens the name to the grantee alone', () =>
    withDevices(async ({ ada, bob, phone }) => {
      const added = await add(ada)
      const record = ada.store.record(added.record as never)?.record
      assert.ok(record?.type === 'file.add')
      const metadata = await ada.keys.metadataKeyOf(record)
      const bobUser = bob.chain.user
      assert.ok(metadata !== undefined && bobUser !== undefined)
      const [to] = readUserKeys(ada.store.state, bobUser)
      assert.ok(to !== undefined)
      const purpose = sealPurposes(networkIdOf(ada.params)).grant(added.file as never, bobUser)
      await ada.chain.publish({
        type: 'grant',
        body: {
          file: added.file as never,
          user: bobUser,
          to,
          metadataKey: await sealKey(to, metadata, purpose),
        },
      })
      await ada.tell(bob, phone)
      await bob.opening.idle()
      await phone.opening.idle()
      assert.equal(bob.files.find(NAME).size, SECRET.length)
      assert.equal(phone.files.info(added.file).name, null)
      // A later version has the same metadata key, and its own content key.
      await ada.files.update(added.file, streamOf('second'), {}, { signal })
      await ada.tell(bob)
      await bob.opening.idle()
      assert.equal(bob.files.find(NAME).size, 6)
      // A new generation has another.
      await ada.files.rekey(added.file, { signal })
      await ada.tell(bob)
      await bob.opening.idle()
      assert.equal(bob.files.info(added.file).name, null)
    }))

  it('made public, the same bytes are there for everybody as a new version', () =>
    withDevices(async ({ ada, bob }) => {
      const added = await add(ada)
      await ada.opening.idle()
      const made = await ada.files.publish(added.file, { signal })
      assert.equal(made.sha256, added.sha256)
      assert.notEqual(made.root, added.root)
      await ada.tell(bob)
      await copyContent(ada, bob, await contentOf(made.root, ada))
      assert.equal(bob.files.find(NAME).visibility, 'public')
      assert.equal(await textOf(bob.files.read(added.file, {}, signal)), SECRET)
      await assert.rejects(ada.files.publish(added.file, { signal }), { code: 'FILE_PUBLIC' })
      await assert.rejects(ada.files.rekey(added.file, { signal }), { code: 'FILE_PUBLIC' })
    }))

  it('equal bytes and names look different', () =>
    withDevices(async ({ ada }) => {
      const one = await add(ada)
      const two = await add(ada)
      assert.notEqual(one.root, two.root)
    }))
})

describe('keys of a person', () => {
  it('a revoked device opens nothing that is added afterwards', () =>
    withDevices(async ({ ada, phone, bob }) => {
      await ada.sharing.start()
      await ada.sharing.settle()
      await ada.tell(phone, bob)
      await mine(ada, phone, bob)
      const before = await add(ada)
      await ada.tell(phone)
      await phone.opening.idle()
      assert.equal(phone.files.find(NAME).file, before.file)

      const invite = await phone.chain.publish({
        type: 'invite',
        body: { key: seedOf('invite'), role: 'member', ownDevice: true, expires: START + 1e9 },
      })
      await phone.tell(ada)
      await mine(ada, phone, bob)
      await ada.devices.revoke('phone', { reason: 'lost on a train' }, signal)
      await ada.tell(phone, bob)
      await mine(ada, phone, bob)
      const user = ada.chain.user
      assert.ok(user !== undefined)
      assert.equal(readUserKeys(ada.store.state, user).length, 2)
      assert.equal(readDevice(ada.store.state, phone.device)?.active, false)
      assert.equal(readInvite(ada.store.state, invite.id)?.used, true)
      const after = await add(ada, 'new', 'new.txt')
      await ada.tell(phone)
      await phone.opening.idle()
      assert.equal(phone.files.info(after.file).name, null)
      assert.equal(ada.files.find('new.txt').file, after.file)
      await assert.rejects(ada.devices.revoke('phone', {}, signal), { code: 'DEVICE_REVOKED' })
    }))

  it('a revocation takes back the invites of the lost device, those too that are in no block yet', () =>
    withDevices(async ({ ada, phone, bob }) => {
      const invite = await phone.chain.publish({
        type: 'invite',
        body: { key: seedOf('invite'), role: 'member', ownDevice: true, expires: START + 1e9 },
      })
      await phone.tell(ada)
      await ada.devices.revoke('phone', { reason: 'stolen' }, signal)
      await ada.tell(phone, bob)
      await mine(ada, phone, bob)
      assert.equal(readInvite(ada.store.state, invite.id)?.used, true)
    }))

  it('a revocation shows whom the lost device had let in, and takes them along when asked', () =>
    withDevices(async ({ ada, phone, bob, clock, dir }) => {
      const user = ada.chain.user ?? assert.fail('Ada is a user')
      const [tablet, watch, desk] = await Promise.all(
        ['tablet', 'watch', 'desk'].map((name) => createPrivateNode(name, { dir, clock })),
      )
      assert.ok(tablet && watch && desk)
      // The phone let the tablet in, that one the watch; Ada's laptop the desk.
      for (const [node, by] of [
        [tablet, 'phone'],
        [watch, 'tablet'],
        [desk, 'ada'],
      ] as const) {
        await ada.tell(node)
        await node.joinAsDevice(user, by)
        await node.tell(ada, bob)
        await mine(ada, bob)
      }
      const namesOf = (list: readonly { name: string }[]) => list.map(({ name }) => name)
      const done = await ada.devices.revoke('phone', { reason: 'lost' }, signal)
      assert.deepEqual(namesOf(done.admitted), ['tablet', 'watch'])
      assert.deepEqual(done.also, [])
      const stands = (node: PrivateNode) => readDevice(ada.store.state, node.device)?.active
      clock.time += 60_000
      await mine(ada, bob)
      assert.deepEqual([phone, tablet, watch, desk].map(stands), [false, true, true, true])
      const more = await ada.devices.revoke('phone', { withAdmitted: true }, signal)
      assert.equal(more.record, null)
      assert.deepEqual(namesOf(more.also), ['tablet', 'watch'])
      assert.deepEqual(more.admitted, [])
      clock.time += 60_000
      await mine(ada, bob)
      assert.deepEqual([phone, tablet, watch, desk].map(stands), [false, false, false, true])
      await assert.rejects(ada.devices.revoke('phone', { withAdmitted: true }, signal), {
        code: 'DEVICE_REVOKED',
      })
    }))

  it('never the device that is asked, though the lost one had let it in', () =>
    withDevices(async ({ ada, phone, bob, clock }) => {
      const done = await phone.devices.revoke(ada.device, { withAdmitted: true }, signal)
      assert.deepEqual(done.also, [])
      assert.deepEqual(
        done.admitted.map(({ device }) => device),
        [phone.device],
      )
      clock.time += 60_000
      await mine(phone, bob)
      assert.equal(readDevice(phone.store.state, phone.device)?.active, true)
    }))

  it('a key that a revoked device states after all does not stand for the new one', () =>
    withDevices(async ({ ada, phone, bob }) => {
      const theirs = publicKeyOf('x25519', seedOf('the thief'))
      const late = await phone.chain.publish({
        type: 'user.key',
        body: { key: theirs, seals: [], earlier: [] },
      })
      const admission = ada.store.recordsAt(phone.device, 0)[0]?.record.id
      assert.ok(admission !== undefined)
      const through = { sequence: 0, record: admission }
      const device = keyOf(phone.device)
      const body = { device, admission, through, reason: '' }
      await ada.chain.publish({ type: 'device.revoke', body })
      await ada.chain.acceptRecords([late.bytes], phone.device)
      await ada.sharing.start()
      await ada.sharing.settle()
      await ada.tell(bob)
      await mine(ada, bob)
      const user = ada.chain.user
      assert.ok(user !== undefined)
      const keys = readUserKeys(ada.store.state, user)
      const newest = keys.at(-1)
      assert.ok(newest !== undefined && keys.length === 2)
      assert.notDeepEqual(newest, theirs)
      assert.ok((await ada.keyring.secretOf(newest)) !== undefined)
    }))

  it('what goes wrong has a name', () =>
    withDevices(async ({ ada, bob }) => {
      const codes: [Promise<unknown>, string][] = [
        [ada.devices.revoke('nothing', {}, signal), 'DEVICE_NOT_FOUND'],
        [ada.devices.revoke(bob.device, {}, signal), 'DEVICE_NOT_FOUND'],
        [bob.devices.revoke(bob.device, {}, signal), 'DEVICE_LAST'],
        [ada.devices.revoke('phone', { reason: 'x'.repeat(201) }, signal), 'REVOKE_REASON'],
        [ada.devices.rename('phone', 'a/b', signal), 'DEVICE_NAME'],
      ]
      for (const [done, code] of codes) await assert.rejects(done, { code })
      await ada.devices.rename('phone', "ada's laptop", signal)
      await mine(ada)
      await assert.rejects(ada.devices.revoke("ada's laptop", {}, signal), {
        code: 'DEVICE_AMBIGUOUS',
      })
    }))

  it('the recovery kit alone opens everything on a new device', () =>
    withDevices(async ({ ada, dir, clock, bob }) => {
      const added = await add(ada)
      const kit = seedOf('kit of ada')
      const tablet = await createPrivateNode('tablet', { dir, clock, kit })
      await ada.tell(tablet)
      const user = ada.chain.user
      assert.ok(user !== undefined)
      await tablet.joinAsDevice(user, 'ada')
      await tablet.opening.start()
      await tablet.opening.idle()
      assert.equal(tablet.files.find(NAME).file, added.file)
      assert.equal(keyOf(bob.device).length, publicKeyOf('x25519', seedOf('x')).length)
      await tablet.opening.stop()
      await tablet.chain.stop()
    }))
})
