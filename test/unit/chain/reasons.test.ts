import assert from 'node:assert/strict'
import type { REASONS } from '../../../src/chain/reasons.ts'
import { MAX_HEADS, readFile, readVersion } from '../../../src/chain/state/files.ts'
import { readRecordState } from '../../../src/chain/state/records.ts'
import { MAX_ANNOUNCEMENTS, MIN_UPGRADE_NOTICE, readRules } from '../../../src/chain/state/rules.ts'
import {
  access,
  device,
  deviceAdd,
  envelopeOf,
  fileAdd,
  fileRemove,
  fileUpdate,
  founded,
  join,
  ledger,
  upgrade,
  vote,
} from './network.ts'
import { accessCases, grantsAreTheOwners } from './reason-cases/access.ts'
import { adminsOnly, ownersOnly, peopleCases } from './reason-cases/people.ts'

describe('reason codes', () => {
  const cases: Record<keyof typeof REASONS, () => void> = {
    ...peopleCases,
    ...accessCases,
    ALREADY_INCLUDED: () => {
      // A device wrote twice at one sequence; the second record was signed again by another device, and then
      // the chain turned to a branch where the second one stands.
      const { admin, admission } = founded()
      const phone = device('phone')
      const join2 = phone.say(deviceAdd(admin, phone))
      const lost = admin.say(fileAdd('lost'))
      const again = phone.say(
        { type: 'file.add', body: lost.type === 'file.add' ? lost.body : assert.fail() },
        { replaces: envelopeOf(lost, admin) },
      )
      assert.equal(again.identity, lost.id)

      const chain = ledger(admin)
      chain.block(admission, join2)
      assert.equal(chain.outcome(again), 'applied')
      assert.equal(readRecordState(chain.view, lost.id)?.by, again.id)
      assert.notEqual(readFile(chain.view, lost.id), undefined)
      assert.equal(chain.outcome(lost), 'ALREADY_INCLUDED')
      // References to the first one still find what was applied.
      assert.equal(readRecordState(chain.view, lost.id)?.outcome, 'applied')
      assert.equal(chain.outcome(admin.say(fileUpdate(lost.id, [lost.id]))), 'applied')

      const other = ledger(admin)
      other.block(admission, join2, lost)
      assert.equal(other.outcome(again), 'ALREADY_INCLUDED')
      assert.equal(readRecordState(other.view, lost.id)?.by, undefined)
    },
    REFERENCE_REJECTED: () => {
      const { admin, chain } = founded()
      const file = admin.say(fileAdd('a'))
      const other = join(chain, 'bob')
      chain.block(file)
      const refused = other.say(fileUpdate(file.id, [file.id]))
      assert.equal(chain.outcome(refused), 'NOT_THE_OWNER')
      assert.equal(chain.outcome(admin.say(vote(refused.id))), 'REFERENCE_REJECTED')
    },
    NOT_A_VERSION: () => {
      const { admin, chain, admission } = founded()
      const file = admin.say(fileAdd('a'))
      chain.block(file)
      assert.equal(chain.outcome(admin.say(vote(admission.id))), 'NOT_A_VERSION')
      assert.equal(chain.outcome(admin.say(access(admission.id))), 'NOT_A_VERSION')
      assert.equal(chain.outcome(admin.say(fileUpdate(file.id, [admission.id]))), 'NOT_A_VERSION')
    },
    NOT_A_FILE: () => {
      const { admin, chain, admission } = founded()
      const file = admin.say(fileAdd('a'))
      chain.block(file)
      assert.equal(chain.outcome(admin.say(fileUpdate(admission.id, [file.id]))), 'NOT_A_FILE')
      assert.equal(chain.outcome(admin.say(fileRemove(admission.id, [file.id]))), 'NOT_A_FILE')
    },
    NOT_THE_OWNER: () => {
      const { admin, chain } = founded()
      const file = admin.say(fileAdd('a'))
      chain.block(file)
      const bob = join(chain, 'bob')
      assert.equal(chain.outcome(bob.say(fileUpdate(file.id, [file.id]))), 'NOT_THE_OWNER')
      assert.equal(chain.outcome(bob.say(fileRemove(file.id, [file.id]))), 'NOT_THE_OWNER')
      assert.deepEqual(readFile(chain.view, file.id)?.heads, [file.id])
    },
    OTHER_FILE: () => {
      const { admin, chain } = founded()
      const [a, b] = [admin.say(fileAdd('a')), admin.say(fileAdd('b'))]
      chain.block(a, b)
      assert.equal(chain.outcome(admin.say(fileUpdate(a.id, [b.id]))), 'OTHER_FILE')
      assert.equal(chain.outcome(admin.say(fileRemove(a.id, [b.id]))), 'OTHER_FILE')
    },
    TOO_MANY_HEADS: () => {
      const { admin, chain } = founded()
      const file = admin.say(fileAdd('a'))
      chain.block(file)
      const heads = Array.from({ length: MAX_HEADS }, (_, i) =>
        admin.say(fileUpdate(file.id, [file.id], `version ${i}`)),
      )
      const effect = chain.block(...heads)
      assert.ok(effect.outcomes.every(({ outcome }) => outcome === 'applied'))
      assert.equal(readFile(chain.view, file.id)?.heads.length, MAX_HEADS)
      assert.equal(chain.outcome(admin.say(fileUpdate(file.id, [file.id]))), 'TOO_MANY_HEADS')
      const merge = admin.say(
        fileUpdate(
          file.id,
          heads.map(({ id }) => id),
        ),
      )
      assert.equal(chain.outcome(merge), 'applied')
      assert.deepEqual(readFile(chain.view, file.id)?.heads, [merge.id])
    },
    VOTE_OWN_FILE: () => {
      const { admin, chain } = founded()
      const file = admin.say(fileAdd('a'))
      chain.block(file)
      assert.equal(chain.outcome(admin.say(vote(file.id))), 'VOTE_OWN_FILE')
    },
    NOT_AN_ADMIN: () => {
      const { chain } = founded()
      const bob = join(chain, 'bob')
      assert.equal(chain.outcome(bob.say(upgrade(2, 1_000))), 'NOT_AN_ADMIN')
    },
    UPGRADE_VERSION: () => {
      const { admin, chain } = founded()
      assert.equal(chain.outcome(admin.say(upgrade(1, 1_000))), 'UPGRADE_VERSION')
      assert.equal(chain.outcome(admin.say(upgrade(3, 1_000))), 'applied')
      assert.equal(chain.outcome(admin.say(upgrade(3, 2_000))), 'UPGRADE_VERSION')
    },
    UPGRADE_HEIGHT: () => {
      const { admin, chain } = founded()
      const next = chain.height + 1
      const soon = admin.say(upgrade(2, next + MIN_UPGRADE_NOTICE - 1))
      assert.equal(chain.outcome(soon), 'UPGRADE_HEIGHT')
      const enough = admin.say(upgrade(2, next + 1 + MIN_UPGRADE_NOTICE))
      assert.equal(chain.outcome(enough), 'applied')
      const height = next + 1 + MIN_UPGRADE_NOTICE
      assert.deepEqual(readRules(chain.view, chain.height), {
        current: 1,
        scheduled: [{ version: 2, height }],
      })
      assert.equal(readRules(chain.view, height).current, 2)
      assert.equal(chain.outcome(admin.say(upgrade(3, height + 5_000))), 'applied')
      assert.equal(chain.outcome(admin.say(upgrade(4, height + 5_000))), 'UPGRADE_HEIGHT')
    },
    UPGRADE_COUNT: () => {
      const { admin, chain } = founded()
      for (let i = 0; i < MAX_ANNOUNCEMENTS; i++) {
        assert.equal(chain.outcome(admin.say(upgrade(2 + i, 1_000 + i))), 'applied')
      }
      assert.equal(chain.outcome(admin.say(upgrade(99, 9_999))), 'UPGRADE_COUNT')
    },
  }
  for (const [code, check] of Object.entries(cases)) it(code, check)
  it('NOT_AN_ADMIN: of an invite', adminsOnly)
  it('NOT_THE_OWNER: of sealed keys and imports', ownersOnly)
  it('NOT_THE_OWNER: of grants', grantsAreTheOwners)

  it('removal covers only the versions that it names', () => {
    const { admin, chain } = founded()
    const file = admin.say(fileAdd('a'))
    const [left, right] = ['left', 'right'].map((n) => admin.say(fileUpdate(file.id, [file.id], n)))
    assert.ok(left !== undefined && right !== undefined)
    chain.block(file, left, right)
    assert.deepEqual(readFile(chain.view, file.id)?.heads, [left.id, right.id])
    assert.equal(chain.outcome(admin.say(fileRemove(file.id, [file.id, left.id]))), 'applied')
    assert.deepEqual(readFile(chain.view, file.id)?.heads, [right.id])
    assert.deepEqual(
      [file, left, right].map(({ id }) => readVersion(chain.view, id)?.removed),
      [true, true, false],
    )
  })
})
