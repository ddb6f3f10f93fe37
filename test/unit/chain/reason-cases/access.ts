/** One check for each reason code that is about reading private files. */
import assert from 'node:assert/strict'
import type { RecordId, UserId } from '../../../../src/chain/ids.ts'
import type { SignedRecord } from '../../../../src/chain/record.ts'
import { readAllowed, readGranted, readReleased } from '../../../../src/chain/state/grants.ts'
import { fileAdd, founded, join, START, type TestDevice, type TestLedger } from '../network.ts'
import {
  accessUnder,
  addDevice,
  grant,
  holderAdd,
  holderRemove,
  privateAdd,
  release,
  revoke,
  userOf,
} from '../people.ts'

interface Shared {
  readonly owner: TestDevice
  readonly bob: TestDevice
  readonly chain: TestLedger
  readonly file: SignedRecord
  /** States the next access of bob, in a block of its own. */
  access(under?: RecordId): string
  grants(limits?: { expires?: number; downloads?: number }): RecordId
}

/** A private file of the founder, and a member who wants to read it. */
export function shared(): Shared {
  const { admin: owner, chain } = founded()
  const bob = join(chain, 'bob')
  const file = owner.say(privateAdd('secret'))
  chain.block(file)
  return {
    owner,
    bob,
    chain,
    file,
    access: (under) => chain.outcome(bob.say(accessUnder(file.id, under))),
    grants: (limits) => {
      const record = owner.say(grant(file.id, userOf(bob), limits))
      assert.equal(chain.outcome(record), 'applied')
      return record.id
    },
  }
}

export const accessCases = {
  NOT_A_GRANT: () => {
    const { owner, chain, file } = shared()
    assert.equal(chain.outcome(owner.say(revoke(file.id))), 'NOT_A_GRANT')
  },
  GRANT_TO_OWNER: () => {
    const { owner, chain, file } = shared()
    assert.equal(chain.outcome(owner.say(grant(file.id, userOf(owner)))), 'GRANT_TO_OWNER')
  },
  ACCESS_NO_GRANT: () => {
    const { owner, chain, file, access, grants } = shared()
    assert.equal(access(), 'ACCESS_NO_GRANT')
    grants()
    assert.equal(access(), 'ACCESS_NO_GRANT', 'a grant is named, not looked for')
    // The owner needs none, and a public file neither.
    assert.equal(chain.outcome(owner.say(accessUnder(file.id))), 'applied')
    const open = owner.say(fileAdd('open'))
    chain.block(open)
    assert.equal(chain.outcome(join(chain, 'carl').say(accessUnder(open.id))), 'applied')
  },
  ACCESS_OTHER_GRANT: () => {
    const { owner, bob, chain, file, grants } = shared()
    const carl = join(chain, 'carl')
    const id = grants()
    const second = owner.say(privateAdd('second'))
    chain.block(second)
    const refused = [
      carl.say(accessUnder(file.id, id)),
      bob.say(accessUnder(second.id, id)),
      bob.say(accessUnder(file.id, second.id)),
    ]
    for (const record of refused) assert.equal(chain.outcome(record), 'ACCESS_OTHER_GRANT')
    for (const { id: no } of refused) assert.equal(readAllowed(chain.view, no), undefined)
  },
  ACCESS_REVOKED: () => {
    const { owner, chain, access, grants } = shared()
    const id = grants()
    assert.equal(access(id), 'applied')
    chain.block(owner.say(revoke(id)))
    assert.equal(access(id), 'ACCESS_REVOKED')
    assert.equal(access(grants()), 'applied')
  },
  ACCESS_REPLACED: () => {
    const { bob, chain, file, access, grants } = shared()
    const [first, second] = [grants(), grants({ downloads: 1 })]
    assert.equal(readGranted(chain.view, file.id, userOf(bob)), second)
    assert.equal(access(first), 'ACCESS_REPLACED')
    assert.equal(access(second), 'applied')
  },
  ACCESS_EXPIRED: () => {
    const { chain, access, grants } = shared()
    // The blocks of these tests are a millisecond apart; the last allowed one has the time of the expiry.
    const id = grants({ expires: START + chain.height + 2 })
    assert.equal(access(id), 'applied')
    assert.equal(access(id), 'ACCESS_EXPIRED')
  },
  ACCESS_USED_UP: () => {
    const { owner, bob, chain, file, access, grants } = shared()
    const id = grants({ downloads: 2 })
    const asked = Array.from({ length: 3 }, () => bob.say(accessUnder(file.id, id)))
    assert.ok(chain.block(...asked).outcomes.every(({ outcome }) => outcome === 'applied'))
    const [first, second] = asked
    assert.ok(first !== undefined && second !== undefined)
    // An access that is served twice, by two holders too, counts once; allowed ones without a release not at all.
    const phone = addDevice(chain, owner, 'phone')
    chain.block(owner.say(release(first.id)), phone.say(release(first.id)))
    assert.equal(readReleased(chain.view, id), 1)
    assert.equal(access(id), 'applied')
    chain.block(phone.say(release(second.id)))
    assert.equal(access(id), 'ACCESS_USED_UP')
    // Nothing was left to give, but a key that left all the same is counted.
    const third = asked[2] ?? assert.fail()
    assert.equal(chain.outcome(owner.say(release(third.id))), 'applied')
    assert.equal(readReleased(chain.view, id), 3)
    // A new grant counts from nought.
    assert.equal(access(grants({ downloads: 1 })), 'applied')
    const none = grants({ downloads: 0 })
    assert.equal(access(none), 'ACCESS_USED_UP')
  },
  NOT_AN_ACCESS: () => {
    const { owner, bob, chain, file } = shared()
    const own = owner.say(accessUnder(file.id))
    const denied = bob.say(accessUnder(file.id))
    chain.block(own, denied)
    assert.equal(chain.outcome(owner.say(release(file.id))), 'NOT_AN_ACCESS')
    assert.equal(chain.outcome(owner.say(release(own.id))), 'NOT_AN_ACCESS')
    assert.equal(chain.outcome(owner.say(release(denied.id))), 'REFERENCE_REJECTED')
  },
  NOT_A_KEY_HOLDER: () => {
    const { owner, bob, chain, file, grants } = shared()
    const carl = join(chain, 'carl')
    const target = { device: carl, admission: userOf(carl) }
    const id = grants()
    const asked = Array.from({ length: 3 }, () => bob.say(accessUnder(file.id, id)))
    const [first, second, third] = asked.map((record) => record.id)
    assert.ok(first !== undefined && second !== undefined && third !== undefined)
    chain.block(...asked)
    // Neither the one who reads nor a stranger.
    assert.equal(chain.outcome(bob.say(release(first))), 'NOT_A_KEY_HOLDER')
    assert.equal(chain.outcome(carl.say(release(first))), 'NOT_A_KEY_HOLDER')
    assert.equal(readReleased(chain.view, id), 0)
    // Only the owner names one, or takes it back.
    assert.equal(chain.outcome(carl.say(holderAdd(file.id, target))), 'NOT_THE_OWNER')
    const added = owner.say(holderAdd(file.id, target, file.id))
    assert.equal(chain.outcome(added), 'applied')
    assert.equal(chain.outcome(bob.say(holderRemove(file.id, carl, added.id))), 'NOT_THE_OWNER')
    assert.equal(chain.outcome(carl.say(release(second, added.id))), 'applied')
    assert.equal(chain.outcome(owner.say(holderRemove(file.id, carl, added.id))), 'applied')
    assert.equal(chain.outcome(carl.say(release(third, added.id))), 'NOT_A_KEY_HOLDER')
    assert.equal(readReleased(chain.view, id), 1)
  },
} as const

/** Only the owner of a file lets somebody read it. */
export function grantsAreTheOwners(): void {
  const { owner, bob, chain, file, grants } = shared()
  const user: UserId = userOf(bob)
  assert.equal(chain.outcome(bob.say(grant(file.id, userOf(owner)))), 'NOT_THE_OWNER')
  assert.equal(chain.outcome(bob.say(grant(file.id, user))), 'NOT_THE_OWNER')
  const id = grants()
  assert.equal(chain.outcome(bob.say(revoke(id))), 'NOT_THE_OWNER')
  assert.equal(chain.outcome(owner.say(grant(user, user))), 'NOT_A_FILE')
}
