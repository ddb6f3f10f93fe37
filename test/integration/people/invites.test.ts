import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Admission, invitedMessage } from '../../../src/chain/admissions.ts'
import { deviceIdOf, type NetworkId, type RecordId } from '../../../src/chain/ids.ts'
import { toHex } from '../../../src/common/bytes.ts'
import { systemClock } from '../../../src/common/clock.ts'
import { publicKeyOf, signEd25519 } from '../../../src/common/crypto.ts'
import { decodeInvite, encodeInvite } from '../../../src/common/invite-code.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { type PairFailure, pairWithMember } from '../../../src/network/pair/client.ts'
import type { Claims, Here } from '../../../src/network/pair/messages.ts'
import { joinNetwork } from '../../../src/node/joining.ts'
import type { CairnNode } from '../../../src/node/node.ts'
import { openJournal } from '../../../src/storage/journal.ts'
import { seedOf } from '../../helpers/chain-node.ts'
import { until } from '../network/nodes.ts'
import {
  addressOf,
  createPeopleNetwork,
  type PeopleNetwork,
  settled,
  WAIT_MS,
} from './network-of-people.ts'

describe('invites', function () {
  this.timeout(60_000)
  let people: PeopleNetwork
  let ada: CairnNode
  /** What Ada's node takes for chance next. */
  let chance: Uint8Array[] = []

  before(async () => {
    people = await createPeopleNetwork()
    const randomBytes = (length: number): Uint8Array =>
      chance.shift() ?? systemClock.randomBytes(length)
    ada = await people.start('Ada', { clock: { ...systemClock, randomBytes } })
    await settled(ada)
  })
  afterEach(() => {
    chance = []
  })
  after(() => people.end())

  const refused = (why: string) => (error: { code?: string; details?: { why?: string } }) => {
    assert.equal(error.code, 'PAIR_REFUSED')
    assert.equal(error.details?.why, why)
    return true
  }
  const pair = <T>(
    code: string,
    talk: Parameters<typeof pairWithMember<T>>[2],
    onWait?: (why: readonly PairFailure[]) => void,
    ms = WAIT_MS,
  ): Promise<T> => {
    const { secret, addresses } = decodeInvite(code)
    return pairWithMember(
      { keySeed: secret, clock: systemClock, logger: silentLogger },
      { addresses, ...(onWait && { onWait }) },
      talk,
      AbortSignal.timeout(ms),
    )
  }
  /** What a device of this name claims, as a new user. */
  const claimsOf = (name: string, code: string, invite: RecordId): Claims => {
    const key = publicKeyOf('ed25519', seedOf(name))
    const other = (what: string): Uint8Array => publicKeyOf('x25519', seedOf(`${name} ${what}`))
    const userKeys = { userKey: other('u'), recoveryKey: other('r'), restoreKey: other('s') }
    const { network, secret } = decodeInvite(code)
    const encryptionKey = other('e')
    const admission: Admission = {
      network: network as NetworkId,
      user: null,
      device: deviceIdOf(key),
      encryptionKey,
      userKeys,
    }
    const signature = signEd25519(secret, invitedMessage(admission, invite))
    return { device: key, encryptionKey, userKeys, signature }
  }
  const inviteOf = (here: Here): RecordId => {
    assert.ok(here.invite)
    return here.invite.id
  }

  it('INVITE_USED: the second one who comes is told', async () => {
    const { code } = await ada.invites.create({ kind: 'member' })
    await people.join('used 1', code)
    await assert.rejects(people.join('used 2', code), refused('INVITE_USED'))
  })

  it('of two at once one gets in', async () => {
    const { code } = await ada.invites.create({ kind: 'member' })
    const both = await Promise.allSettled([people.join('two 1', code), people.join('two 2', code)])
    const lost = both.filter((result) => result.status === 'rejected')
    assert.equal(lost.length, 1)
    refused('INVITE_USED')(lost[0]?.reason)
  })

  it('INVITE_EXPIRED: by the clock of the member', async () => {
    const { code, invite } = await ada.invites.create({ kind: 'member', ms: 1 })
    await until(() => Date.now() > invite.expires, 'it has expired')
    await assert.rejects(people.join('expired', code), refused('INVITE_EXPIRED'))
  })

  it('INVITE_CANCELLED: as soon as it is said', async () => {
    const { code, invite } = await ada.invites.create({ kind: 'member' })
    await ada.invites.cancel(invite.invite)
    await assert.rejects(people.join('cancelled', code), refused('INVITE_CANCELLED'))
    await assert.rejects(ada.invites.cancel(invite.invite), { code: 'INVITE_NOT_OPEN' })
  })

  it('waits while no member knows the invite', async () => {
    const secret = seedOf('an invite of later')
    const network = ada.identity.network
    const expires = Date.now() + 60_000
    const code = encodeInvite({
      kind: 'member',
      network,
      addresses: [addressOf(ada)],
      secret,
      expires,
    })
    const waits: PairFailure['why'][] = []
    const joining = joinNetwork(
      {
        dataDir: people.dirOf('early'),
        code,
        names: { user: 'early', device: 'early' },
        logger: silentLogger,
        onWait: (why) => void waits.push(...why.map((each) => each.why)),
      },
      AbortSignal.timeout(WAIT_MS),
    )
    await until(() => waits.length > 0, 'it waits')
    assert.deepEqual([...new Set(waits)], ['UNREACHABLE'])
    chance = [secret]
    await ada.invites.create({ kind: 'member' })
    assert.equal((await joining).role, 'member')
  })

  it('stops when it is told', async () => {
    const { code } = await ada.invites.create({ kind: 'member' })
    const dead = { ...decodeInvite(code), addresses: ['/ip4/127.0.0.1/tcp/1'] }
    const joining = people.join('stopped', encodeInvite(dead), AbortSignal.timeout(300))
    await assert.rejects(joining, { name: 'TimeoutError' })
  })

  it('NOT_VALID: a signature that is not by the invite’s key, and another one’s record', async () => {
    const { code } = await ada.invites.create({ kind: 'member' })
    const waits: PairFailure['why'][] = []
    const forged = pair(
      code,
      async (member) => {
        const here = await member.hello(null)
        const claims = claimsOf('Mallory', code, inviteOf(here))
        await member.claims({ ...claims, encryptionKey: seedOf('another') })
      },
      (why) => void waits.push(...why.map((each) => each.why)),
      2000,
    )
    await assert.rejects(forged, { name: 'TimeoutError' })
    assert.ok(waits.length > 0 && waits.every((why) => why === 'NOT_VALID'))
    // The invite is still good.
    await people.join('after Mallory', code)
  })

  it('OTHER_NETWORK: a code of another network', async () => {
    const { code } = await ada.invites.create({ kind: 'member' })
    const other = 'bafyreicasbri4gj36aabqz5klpvecbsi356ito72m3kglkdn5kueyuf5o4' as NetworkId
    const asked = pair(code, (member) => member.hello(other))
    await assert.rejects(asked, refused('OTHER_NETWORK'))
  })

  it('a try that ended after the countersignature does not use the invite up', async () => {
    const { code } = await ada.invites.create({ kind: 'member' })
    await pair(code, async (member) => {
      const here = await member.hello(null)
      await member.claims(claimsOf('gone', code, inviteOf(here)))
    })
    await people.join('came back', code)
  })

  it('a device that was killed before it heard the answer is welcomed again', async () => {
    const { code } = await ada.invites.create({ kind: 'member' })
    const first = await people.join('killed', code)
    const dir = people.dirOf('killed')
    const journal = openJournal(join(dir, 'journal'), { logger: silentLogger })
    const [record] = journal.read()
    journal.close()
    assert.ok(record)
    await rm(join(dir, 'network.json'))
    const key = toHex(publicKeyOf('ed25519', decodeInvite(code).secret))
    const notes = { key, record: toHex(record), role: 'member' }
    await writeFile(join(dir, 'joining.json'), JSON.stringify(notes))
    await assert.rejects(people.start('killed'), { code: 'JOIN_UNFINISHED' })
    const { code: another } = await ada.invites.create({ kind: 'member' })
    await assert.rejects(people.join('killed', another), { code: 'JOIN_UNFINISHED' })
    assert.deepEqual(await people.join('killed', code), first)
    const node = await people.start('killed')
    assert.equal(node.identity.user, first.user)
    await settled(ada, node)
    await people.stop(node)
  })

  it('a directory that belongs to a network takes no code', async () => {
    const { code } = await ada.invites.create({ kind: 'member' })
    await people.join('twice', code)
    const { code: second } = await ada.invites.create({ kind: 'member' })
    await assert.rejects(people.join('twice', second), { code: 'JOIN_DIRECTORY' })
  })

  it('INVITE_KIND: only admins invite admins', async () => {
    const { code } = await ada.invites.create({ kind: 'admin' })
    await people.join('Cleo', code)
    const cleo = await people.start('Cleo')
    await settled(ada, cleo)
    await cleo.invites.create({ kind: 'admin' })
    const { code: plain } = await cleo.invites.create({ kind: 'member' })
    await people.join('Ben', plain)
    const ben = await people.start('Ben')
    await settled(ada, ben)
    await assert.rejects(ben.invites.create({ kind: 'admin' }), { code: 'INVITE_KIND' })
    await people.stop(ben)
    await people.stop(cleo)
  })
})
