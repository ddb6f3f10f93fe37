import assert from 'node:assert/strict'
import type { SignedRecord } from '../../../src/chain/record.ts'
import { isPrivate, readVersion } from '../../../src/chain/state/files.ts'
import {
  grantsOf,
  holdersOf,
  isKeyHolder,
  readAllowed,
  readGrant,
  readGranted,
  readHolder,
  readReleased,
} from '../../../src/chain/state/grants.ts'
import { readRecordState } from '../../../src/chain/state/records.ts'
import { fileAdd, fileRemove, founded, join, START, type TestDevice } from './network.ts'
import {
  accessUnder,
  addDevice,
  grant,
  holderAdd,
  holderRemove,
  invite,
  inviteCancel,
  keyCopy,
  legacyImport,
  privateAdd,
  privateContent,
  release,
  revoke,
  revokeDevice,
  throughLast,
  userOf,
} from './people.ts'
import { shared } from './reason-cases/access.ts'

/** All orders of `items`. */
function* orders<T>(items: readonly T[]): Generator<T[]> {
  if (items.length === 0) yield []
  for (const [at, item] of items.entries()) {
    for (const rest of orders(items.toSpliced(at, 1))) yield [item, ...rest]
  }
}

describe('private files', () => {
  it('say nothing but what they take, and may become public and private again', () => {
    const { admin, chain } = founded()
    const file = admin.say(privateAdd('secret'))
    chain.block(file)
    assert.equal(isPrivate(chain.view, file.id), true)
    assert.equal(readVersion(chain.view, file.id)?.size, privateContent('x').storedSize)
    const change = { file: file.id, parents: [file.id] }
    const body = { ...privateContent('second'), ...change }
    const second = admin.say({ type: 'file.update', body })
    const open = fileAdd('open')
    const third = admin.say({
      type: 'file.update',
      body: { ...(open.type === 'file.add' ? open.body : assert.fail()), ...change },
    } as never)
    chain.block(second, third)
    assert.deepEqual(
      [second, third].map(({ id }) => isPrivate(chain.view, id)),
      [true, false],
    )
    assert.equal(chain.outcome(admin.say(fileRemove(file.id, [second.id]))), 'applied')
    assert.equal(readVersion(chain.view, second.id)?.removed, true)
  })
})

describe('grants', () => {
  it('one for each user of a file counts: the latest; each is kept', () => {
    const { owner, bob, chain, file, grants } = shared()
    const carl = join(chain, 'carl')
    const first = grants({ expires: START + 5, downloads: 3 })
    const second = grants()
    const other = owner.say(grant(file.id, userOf(carl)))
    chain.block(other)
    const listed = grantsOf(chain.view, file.id)
    assert.deepEqual(
      new Map(listed.map(({ user, grant: id }) => [user, id])),
      new Map([
        [userOf(bob), second],
        [userOf(carl), other.id],
      ]),
    )
    const { expires, downloads, revoked } = readGrant(chain.view, first) ?? assert.fail()
    assert.deepEqual([expires, downloads, revoked], [START + 5, 3, false])
    // To take back the latest does not bring the one before it back.
    chain.block(owner.say(revoke(second)))
    assert.equal(readGranted(chain.view, file.id, userOf(bob)), second)
    assert.equal(chain.outcome(bob.say(accessUnder(file.id, first))), 'ACCESS_REPLACED')
    assert.equal(chain.outcome(owner.say(revoke(second))), 'applied', 'twice is once')
  })

  it('every order of file, grant, access and release comes to the same', () => {
    for (const order of orders([0, 1, 2, 3, 4])) {
      const { admin: owner, chain } = founded()
      const phone = addDevice(chain, owner, 'phone')
      const tablet = addDevice(chain, owner, 'tablet')
      const bob = join(chain, 'bob')
      const carl = join(chain, 'carl')
      const file = phone.say(privateAdd('secret'))
      const granted = tablet.say(grant(file.id, userOf(bob), { downloads: 1 }))
      const target = { device: carl, admission: userOf(carl) }
      const named = owner.say(holderAdd(file.id, target, file.id))
      const asked = bob.say(accessUnder(file.id, granted.id))
      const released = carl.say(release(asked.id, named.id))
      const all = [file, granted, named, asked, released]
      for (const at of order) chain.block(all[at] ?? assert.fail())
      for (const { id, type } of all) {
        assert.equal(readRecordState(chain.view, id)?.outcome, 'applied', `${type} in ${order}`)
      }
      assert.equal(readAllowed(chain.view, asked.id), granted.id)
      assert.equal(readReleased(chain.view, granted.id), 1)
      assert.ok(![...chain.state.keys()].some((key) => /^(waiting|due)\//.test(key)))
    }
  })

  it('a late access is judged by what holds when its grant comes: time, revocation, releases', () => {
    const { owner, bob, chain, file } = shared()
    const phone = addDevice(chain, owner, 'phone')
    const late = (limits: { expires?: number }, ...before: SignedRecord[]): string => {
      const granted = phone.say(grant(file.id, userOf(bob), limits))
      const asked = bob.say(accessUnder(file.id, granted.id))
      assert.equal(chain.outcome(asked), 'waiting')
      for (const record of before) chain.block(record)
      chain.block(granted)
      const { code, outcome } = readRecordState(chain.view, asked.id) ?? assert.fail()
      return code ?? outcome
    }
    assert.equal(late({}), 'applied')
    // Its own block would have been in time; the one that evaluates it is not.
    assert.equal(late({ expires: START + chain.height + 1 }), 'ACCESS_EXPIRED')
    assert.equal(late({ expires: START + chain.height + 2 }), 'applied')
    // Of two that waited the one that stands first in the chain goes first.
    const granted = phone.say(grant(file.id, userOf(bob)))
    const taken = owner.say(revoke(granted.id))
    const asked = bob.say(accessUnder(file.id, granted.id))
    chain.block(taken)
    chain.block(asked)
    chain.block(granted)
    assert.equal(readRecordState(chain.view, asked.id)?.code, 'ACCESS_REVOKED')
  })

  it('an access to a public file names whatever it likes, but waits for it', () => {
    const { owner, bob, chain, file, grants } = shared()
    const open = owner.say(fileAdd('open'))
    chain.block(open)
    const id = grants()
    const asked = bob.say(accessUnder(open.id, id))
    assert.equal(chain.outcome(asked), 'applied')
    assert.equal(readAllowed(chain.view, asked.id), undefined, 'there is no key to give')
    assert.equal(chain.outcome(owner.say(release(asked.id))), 'NOT_AN_ACCESS')
    assert.notEqual(readGrant(chain.view, id)?.file, open.id)
    assert.equal(readGrant(chain.view, id)?.file, file.id)
  })
})

describe('key holders', () => {
  const withHolder = (): ReturnType<typeof shared> & { carl: TestDevice; added: SignedRecord } => {
    const made = shared()
    const carl = join(made.chain, 'carl')
    const target = { device: carl, admission: userOf(carl) }
    const added = made.owner.say(holderAdd(made.file.id, target, made.file.id))
    assert.equal(made.chain.outcome(added), 'applied')
    return { ...made, carl, added }
  }

  it('are the owner’s devices and those that the owner named, as long as they are active', () => {
    const { owner, bob, chain, file, carl, added } = withHolder()
    const phone = addDevice(chain, owner, 'phone')
    const holds = (of: TestDevice): boolean => isKeyHolder(chain.view, file.id, of.id)
    assert.deepEqual([owner, phone, bob, carl].map(holds), [true, true, false, true])
    assert.deepEqual(holdersOf(chain.view, file.id), [carl.id])
    assert.equal(readHolder(chain.view, file.id, carl.id), added.id)
    for (const [of, admission, by] of [
      [phone, phone.previous, owner],
      [carl, userOf(carl), carl],
    ] as const) {
      const target = { device: of, admission: admission ?? assert.fail() }
      chain.block(by.say(revokeDevice(target, throughLast(of))))
    }
    assert.deepEqual([owner, phone, bob, carl].map(holds), [true, false, false, false])
  })

  it('one that is taken back stays so, even where the block with its naming comes later', () => {
    const { owner, chain, file } = shared()
    const phone = addDevice(chain, owner, 'phone')
    const carl = join(chain, 'carl')
    const added = owner.say(holderAdd(file.id, { device: carl, admission: userOf(carl) }))
    const removed = phone.say(holderRemove(file.id, carl, added.id))
    assert.equal(chain.outcome(removed), 'waiting')
    chain.block(added)
    assert.equal(readRecordState(chain.view, removed.id)?.outcome, 'applied')
    assert.deepEqual(holdersOf(chain.view, file.id), [])
  })

  it('the naming waits for the device and the versions', () => {
    const { owner, chain, file } = shared()
    const phone = addDevice(chain, owner, 'phone')
    const second = phone.say({
      type: 'file.update',
      body: { ...privateContent('second'), file: file.id, parents: [file.id] },
    })
    const carl = join(chain, 'carl')
    const target = { device: carl, admission: userOf(carl) }
    const added = owner.say(holderAdd(file.id, target, file.id, second.id))
    assert.equal(chain.outcome(added), 'waiting')
    chain.block(second)
    assert.deepEqual(holdersOf(chain.view, file.id), [carl.id])
  })
})

describe('what names a record of another device waits for it', () => {
  it('copies of keys, imports, cancelled invites', () => {
    const { admin, chain } = founded()
    const phone = addDevice(chain, admin, 'phone')
    const file = phone.say(privateAdd('secret'))
    const invited = phone.say(invite('one'))
    const early = [keyCopy(file.id), legacyImport(file.id), inviteCancel(invited.id)].map(
      (statement) => admin.say(statement),
    )
    const { outcomes } = chain.block(...early)
    assert.ok(outcomes.every(({ outcome }) => outcome === 'waiting'))
    chain.block(file, invited)
    for (const { id } of early) {
      assert.equal(readRecordState(chain.view, id)?.outcome, 'applied')
    }
  })
})
