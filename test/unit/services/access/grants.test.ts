import assert from 'node:assert/strict'
import { invitedMessage, sponsoredMessage } from '../../../../src/chain/admissions.ts'
import type { RecordId } from '../../../../src/chain/ids.ts'
import { deviceKeyOf } from '../../../../src/chain/ids.ts'
import { networkIdOf } from '../../../../src/chain/params.ts'
import { publicKeyOf, signEd25519 } from '../../../../src/common/crypto.ts'
import { silentLogger } from '../../../../src/common/logger.ts'
import { sealPurposes } from '../../../../src/services/access/seals.ts'
import { createSupply } from '../../../../src/services/access/supply.ts'
import { createSupplying, type Supplying } from '../../../../src/services/access/supplying.ts'
import { createChainNode, seedOf } from '../../../helpers/chain-node.ts'
import { streamOf } from '../files/files-node.ts'
import { addSecret, type Network, never, type Sharer, userOf, withNetwork } from './exchange.ts'

async function withSecret(
  run: (network: Network & { readonly file: RecordId }) => Promise<void>,
): Promise<void> {
  await withNetwork(async (network) => {
    const file = await addSecret(network, network.ada)
    await run({ ...network, file })
  })
}

const refuses = (call: Promise<unknown>, code: string, says?: RegExp): Promise<void> =>
  assert.rejects(call, (error: Error & { code?: string }) => {
    assert.equal(error.code, code)
    if (says !== undefined) assert.match(error.message, says)
    return true
  })

function supplyingOf(node: Sharer, network: Network): Supplying {
  const { store, chain, keys, copies, events, device } = node
  const purposes = sealPurposes(networkIdOf(node.params))
  const { clock } = network
  const supply = createSupply({ store, keys, copies, purposes, clock })
  const self = { device, user: () => chain.user }
  return createSupplying({
    store,
    records: chain,
    supply,
    self,
    events,
    clock,
    logger: silentLogger,
  })
}

describe('grants', () => {
  it('let the grantee see the name at once and read until they end', () =>
    withSecret(async (network) => {
      const { ada, bob, carol, file, clock, settle } = network
      const expires = clock.time + 3_600_000
      const view = await ada.exchange.grants.grant(file, 'bob', { expires, downloads: 2 }, never)
      assert.equal(view.status, 'pending')
      assert.deepEqual([view.used, view.left, view.expires], [0, 2, expires])
      await settle()
      assert.equal(bob.files.info(file).name, 'poem.txt')
      assert.equal(carol.files.info(file).name, null)
      const [listed, ...others] = ada.exchange.grants.list()
      assert.equal(others.length, 0)
      assert.equal(listed?.status, 'active')
      assert.equal(listed?.user.name, 'bob')
      clock.time = expires + 1
      assert.equal(ada.exchange.grants.list(file)[0]?.status, 'expired')
    }))

  it('are taken back: at once for the owner, for ever for everybody', () =>
    withSecret(async ({ ada, file, settle }) => {
      await ada.exchange.grants.grant(file, 'bob', {}, never)
      await settle()
      const [view] = await ada.exchange.grants.revoke(file, 'bob', never)
      assert.equal(view?.status, 'revoking')
      await settle()
      assert.equal(ada.exchange.grants.list(file)[0]?.status, 'revoked')
      await refuses(ada.exchange.grants.revoke(file, 'bob', never), 'NO_GRANT', /bob/)
    }))

  it('a later one takes the place of an earlier one, and both are taken back together', () =>
    withSecret(async ({ ada, file, settle }) => {
      const { grants } = ada.exchange
      await grants.grant(file, 'bob', {}, never)
      await grants.grant(file, 'bob', { downloads: 1 }, never)
      await settle()
      assert.deepEqual(
        grants.list(file).map(({ status }) => status),
        ['replaced', 'active'],
      )
      assert.equal((await grants.revoke(file, 'bob', never)).length, 2)
    }))

  it('every wrong date, count and name is told what to do', () =>
    withSecret(async ({ ada, bob, carol, file, clock, settle }) => {
      const grant = (user: string, options = {}, of = file): Promise<unknown> =>
        ada.exchange.grants.grant(of, user, options, never)
      await refuses(grant('dora'), 'USER_NOT_FOUND', /"dora".*cairn users/)
      await refuses(grant('ada'), 'GRANT_TO_OWNER')
      await refuses(grant('bob', { expires: clock.time - 1 }), 'GRANT_EXPIRY', /over already/)
      await refuses(grant('bob', { expires: 1.5 }), 'GRANT_EXPIRY', /no time/)
      await refuses(grant('bob', { expires: Number.NaN }), 'GRANT_EXPIRY')
      for (const downloads of [0, -1, 1.5, Number.NaN, 1e7]) {
        await refuses(grant('bob', { downloads }), 'GRANT_COUNT', /from 1 to 1000000/)
      }
      await refuses(grant('bob', {}, 'nothing' as RecordId), 'FILE_NOT_FOUND')
      await refuses(bob.exchange.grants.grant(file, 'carol', {}, never), 'FILE_NOT_OWNER')
      await refuses(bob.exchange.grants.revoke(file, 'carol', never), 'FILE_NOT_OWNER')
      await refuses(ada.exchange.grants.revoke(file, 'bob', never), 'NO_GRANT')
      const open = await ada.files.add(
        streamOf('for all'),
        { name: 'open.txt', visibility: 'public' },
        { signal: never },
      )
      await refuses(grant('bob', {}, open.file as RecordId), 'FILE_NOT_PRIVATE')
      // By id, and by the beginning of one.
      const id = userOf(carol)
      await grant(id)
      await grant(id.slice(0, 20))
      await ada.files.remove(file, never)
      await settle()
      await refuses(grant('bob'), 'FILE_REMOVED')
      assert.throws(() => ada.exchange.grants.list('nothing'), { code: 'FILE_NOT_FOUND' })
      assert.throws(() => ada.exchange.grants.accesses('nothing'), { code: 'FILE_NOT_FOUND' })
    }))

  it('USER_AMBIGUOUS: two of one name', () =>
    withSecret(async ({ ada, file, all, clock }) => {
      const other = createChainNode('bob again', { params: ada.params, clock })
      await other.chain.start()
      const created = await other.publish({
        type: 'user.create',
        body: {
          name: 'bob',
          deviceName: 'other',
          encryptionKey: publicKeyOf('x25519', seedOf('1')),
          userKey: publicKeyOf('x25519', seedOf('2')),
          recoveryKey: publicKeyOf('ed25519', seedOf('3')),
          restoreKey: publicKeyOf('ed25519', seedOf('4')),
          proof: { type: 'open' },
        },
      })
      for (const one of all) await one.chain.acceptRecords([created.bytes], other.device)
      await refuses(ada.exchange.grants.grant(file, 'bob', {}, never), 'USER_AMBIGUOUS', /2 users/)
      await ada.exchange.grants.grant(file, created.id, {}, never)
      await other.chain.stop()
    }))
})

describe('key holders', () => {
  it('are the owner’s devices and those that the owner named', () =>
    withSecret(async ({ ada, phone, carol, file, settle }) => {
      const { holders } = ada.exchange
      await holders.add(file, "carol's laptop", never)
      await settle()
      assert.deepEqual(
        new Set(holders.list(file).map(({ device, named }) => `${device.id} ${named}`)),
        new Set([`${ada.device} false`, `${phone.device} false`, `${carol.device} true`]),
      )
      // Whoever gives the key has it: and so the name of the file, and its bytes.
      assert.equal(carol.files.info(file).name, 'poem.txt')
      await holders.remove(file, carol.device, never)
      await settle()
      assert.equal(holders.list(file).length, 2)
    }))

  it('every wrong name is told what to do', () =>
    withSecret(async ({ ada, bob, phone, file }) => {
      const { holders } = ada.exchange
      await refuses(holders.add(file, 'nas', never), 'HOLDER_NOT_FOUND', /"nas"/)
      await refuses(holders.add(file, phone.device, never), 'HOLDER_OWN')
      await refuses(holders.remove(file, bob.device, never), 'HOLDER_NONE')
      await refuses(bob.exchange.holders.add(file, bob.device, never), 'FILE_NOT_OWNER')
    }))

  it('get the keys of later versions, and grantees those of a new generation', () =>
    withSecret(async (network) => {
      const { ada, bob, carol, file, settle } = network
      await ada.exchange.holders.add(file, carol.device, never)
      await ada.exchange.grants.grant(file, 'bob', {}, never)
      await settle()
      const supplying = supplyingOf(ada, network)
      await supplying.start()
      const work = { signal: never }
      await ada.files.update(file, streamOf('second'), { name: 'second.txt' }, work)
      await settle()
      await supplying.settle()
      await settle()
      assert.equal(bob.files.info(file).name, 'second.txt')
      assert.equal(carol.files.info(file).name, 'second.txt')
      const given = ada.store.projections.holdersOf(file).length
      assert.equal(given, 2)
      // With a new generation its keys are on their way before it is in a block: no clock has moved.
      await ada.files.rekey(file, work)
      await supplying.settle()
      assert.deepEqual(
        ada.store
          .pending()
          .map(({ record }) => record.type)
          .sort(),
        ['file.update', 'holder.add', 'key.copy'],
      )
      await settle()
      assert.equal(bob.files.info(file).name, 'second.txt')
      const entry = carol.store.projections.file(file)
      assert.ok(entry !== undefined)
      assert.ok((await carol.keys.contentKeyOf(entry.record)) !== undefined)
      // All is said; nothing is said again.
      const before = ada.store.recordCount()
      await supplying.settle()
      await settle()
      assert.equal(ada.store.recordCount(), before)
      await supplying.stop()
    }))

  it('what a device that stopped left to pass on goes out at its next start', () =>
    withSecret(async (network) => {
      const { ada, bob, carol, file, settle } = network
      const other = await addSecret(network, ada, 'another poem')
      await ada.exchange.holders.add(file, carol.device, never)
      await ada.exchange.grants.grant(other, 'bob', {}, never)
      await settle()
      for (const each of [file, other]) await ada.files.rekey(each, { signal: never })
      await settle()
      assert.equal(carol.files.info(file).name, null)
      assert.equal(bob.files.info(other).name, null)
      const supplying = supplyingOf(ada, network)
      await supplying.start()
      await supplying.settle()
      await settle()
      assert.equal(carol.files.info(file).name, 'poem.txt')
      assert.equal(bob.files.info(other).name, 'poem.txt')
      await supplying.stop()
    }))

  it('a revocation that somebody else signs keeps nobody from a new generation', () =>
    withSecret(async (network) => {
      const { ada, bob, carol, file, settle } = network
      const { grant } = await ada.exchange.grants.grant(file, 'bob', {}, never)
      await settle()
      const supplying = supplyingOf(ada, network)
      await supplying.start()
      await carol.publish({ type: 'revoke', body: { grant: grant as RecordId } })
      await ada.files.rekey(file, { signal: never })
      await settle()
      await supplying.settle()
      await settle()
      assert.equal(bob.files.info(file).name, 'poem.txt')
      await supplying.stop()
    }))

  it('whose grant was taken back gets nothing of a new generation', () =>
    withSecret(async (network) => {
      const { ada, bob, file, settle } = network
      await ada.exchange.grants.grant(file, 'bob', {}, never)
      await settle()
      const supplying = supplyingOf(ada, network)
      await supplying.start()
      await ada.exchange.grants.revoke(file, 'bob', never)
      await ada.files.rekey(file, { signal: never })
      await settle()
      await supplying.settle()
      await settle()
      assert.equal(bob.files.info(file).name, null)
      await supplying.stop()
    }))

  it('a backup device is given nothing, neither as a reader nor as a holder', () =>
    withSecret(async (network) => {
      const { ada, bob, all, file, settle, clock } = network
      const { grant } = await ada.exchange.grants.grant(file, 'bob', {}, never)
      const invite = await bob.publish({
        type: 'invite',
        body: {
          key: publicKeyOf('ed25519', seedOf('invite')),
          role: 'backup',
          ownDevice: true,
          expires: clock.time + 3_600_000,
        },
      })
      await settle()
      const nas = createChainNode('nas', { params: ada.params, clock })
      await nas.chain.start()
      const user = userOf(bob)
      const encryptionKey = publicKeyOf('x25519', seedOf('nas'))
      const chainId = networkIdOf(ada.params)
      const admission = { network: chainId, user, device: nas.device, encryptionKey }
      const sponsor = deviceKeyOf(bob.device)
      assert.ok(sponsor !== undefined)
      const said = [
        await nas.publish({
          type: 'device.add',
          user,
          body: {
            name: 'nas',
            encryptionKey,
            proof: {
              type: 'invite',
              invite: invite.identity,
              signature: signEd25519(seedOf('invite'), invitedMessage(admission, invite.identity)),
              sponsor,
              time: clock.time,
              countersignature: signEd25519(
                seedOf('bob'),
                sponsoredMessage(admission, invite.identity, clock.time),
              ),
            },
          },
        }),
        await nas.publish({ type: 'access', body: { version: file, grant: grant as RecordId } }),
      ]
      for (const one of all) {
        await one.chain.acceptRecords(
          said.map(({ bytes }) => bytes),
          nas.device,
        )
      }
      await settle()
      const access = said[1]?.identity
      assert.ok(access !== undefined)
      const answer = await ada.exchange.keyHolder.release(access, nas.device, never)
      assert.deepEqual(answer, {
        type: 'refused',
        code: 'ACCESS_DENIED',
        reason: 'BACKUP_ROLE',
      })
      await refuses(ada.exchange.holders.add(file, nas.device, never), 'HOLDER_BACKUP', /nas/)
      await nas.chain.stop()
    }))
})
