import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import type { UserId } from '../../../../src/chain/ids.ts'
import type { SignedRecord, Statement } from '../../../../src/chain/record.ts'
import { publicKeyOf } from '../../../../src/common/crypto.ts'
import { silentLogger } from '../../../../src/common/logger.ts'
import { backupRoot, recoveryKeys } from '../../../../src/common/recovery-keys.ts'
import { sealKey, sealPurposes } from '../../../../src/services/access/seals.ts'
import { findBackupKey, vouchBackupKey } from '../../../../src/services/people/backup-key.ts'
import { createBackupKeyNotice } from '../../../../src/services/people/backup-key-notice.ts'
import { type ChainNode, createChainNode, handClock, seedOf } from '../../../helpers/chain-node.ts'

const kit = seedOf('ada recovery')
const { backup } = recoveryKeys(kit)
const publicKey = publicKeyOf('x25519', backup)
const userSecret = seedOf('ada user')
const userKey = publicKeyOf('x25519', userSecret)

describe('the backup key of a user', () => {
  let clock: ReturnType<typeof handClock>
  let node: ChainNode
  let user: UserId
  const network = () => node.chain.network
  const about = () => ({ network: network(), user })
  const people = () => node.store.projections.peopleRecords().map(({ record }) => record)
  const find = (secrets: readonly Uint8Array[] = [userSecret]) =>
    findBackupKey(people(), about(), secrets)
  type Copies = Extract<Statement, { type: 'key.copy' }>['body']['copies']
  const say = (copies: Copies) => node.publish({ type: 'key.copy', body: { copies } })

  beforeEach(async () => {
    clock = handClock(1_700_000_001_000)
    node = createChainNode('ada', { clock })
    await node.join()
    await node.mine()
    user = node.chain.user ?? assert.fail('Ada is there')
  })

  it('is known to all devices once the kit has vouched for it, and stands in the chain', async () => {
    assert.equal(await find(), undefined)
    await say([...(await vouchBackupKey(about(), { kit, userKey }))])
    const root = backupRoot(backup, network(), user)
    assert.deepEqual(await find(), { publicKey, root }, 'pending')
    clock.time += 1000
    await node.mine()
    assert.equal(node.store.pendingCount(), 0)
    assert.deepEqual(await find(), { publicKey, root })
    assert.deepEqual(await find([seedOf('other'), userSecret]), { publicKey, root })
    assert.deepEqual(await find([]), { publicKey, root: undefined }, 'no key of the user here')
  })

  it('is believed from nobody but the recovery key, of this network and user', async () => {
    // A stolen device knows everything but the kit.
    await say([...(await vouchBackupKey(about(), { kit: seedOf('thief'), userKey }))])
    assert.equal(await find(), undefined)
    const [vouched, root] = await vouchBackupKey(about(), { kit, userKey })
    assert.ok(vouched?.type === 'user' && root?.type === 'user')
    await say([{ ...vouched, key: publicKeyOf('x25519', seedOf('of the thief')) }])
    assert.equal(await find(), undefined, 'another key under the same signature')
    const sealed = Uint8Array.from(vouched.sealed)
    sealed[79] = (sealed[79] ?? 0) ^ 1
    await say([{ ...vouched, sealed }])
    assert.equal(await find(), undefined, 'another check under the same signature')
    const elsewhere = { ...about(), user: node.store.tip().id as never }
    await say([...(await vouchBackupKey(elsewhere, { kit, userKey }))])
    assert.equal(await find(), undefined, 'what was said of another user')
    const otherNetwork = { ...about(), network: node.store.tip().id as never }
    await say([...(await vouchBackupKey(otherNetwork, { kit, userKey }))])
    assert.equal(await find(), undefined, 'what was said of another network')
    await say([vouched, root])
    assert.deepEqual((await find())?.publicKey, publicKey)
  })

  it('of another user says nothing', async () => {
    const record = await say([...(await vouchBackupKey(about(), { kit, userKey }))])
    const theirs = { ...record, user: node.store.tip().id } as unknown as SignedRecord
    const without = people().filter(({ id }) => id !== record.id)
    assert.equal(await findBackupKey([...without, theirs], about(), [userSecret]), undefined)
    assert.equal(await findBackupKey([record], about(), [userSecret]), undefined, 'no such user')
  })

  it('comes with no root that the kit did not mean', async () => {
    const [vouched, root] = await vouchBackupKey(about(), { kit, userKey })
    assert.ok(vouched?.type === 'user' && root?.type === 'user')
    // A stolen device may seal what it likes, for the right purpose.
    const purpose = sealPurposes(network()).backupRoot(publicKey)
    const sealed = await sealKey(userKey, seedOf('another root'), purpose)
    await say([vouched, { ...root, sealed }])
    assert.deepEqual(await find(), { publicKey, root: undefined })
    await say([root])
    assert.ok((await find())?.root !== undefined)
  })

  describe('is told', () => {
    let hasKit: boolean
    const notice = (hasBackups: boolean) =>
      createBackupKeyNotice(
        {
          store: node.store,
          records: node.chain,
          self: { device: node.device, user: () => node.chain.user },
          kit: () => (hasKit ? kit : undefined),
          userKey: () => userKey,
          events: node.events,
          clock,
          logger: silentLogger,
        },
        { network: network(), hasBackups },
      )
    const told = async (hasBackups: boolean): Promise<number> => {
      const one = notice(hasBackups)
      await one.start()
      clock.time += 1000
      for (let n = 0; n < 50; n++) await turn()
      await one.stop()
      return people().filter(({ type }) => type === 'key.copy').length
    }

    beforeEach(() => {
      hasKit = true
    })

    it('once, where there are backups', async () => {
      assert.equal(await told(true), 1)
      assert.equal((await find())?.root?.length, 32)
      assert.equal(await told(true), 1, 'not again')
    })

    it('to nobody, where there is nobody', async () => {
      assert.equal(await told(false), 0)
    })

    it('by nobody without the kit', async () => {
      hasKit = false
      assert.equal(await told(true), 0)
    })
  })
})
