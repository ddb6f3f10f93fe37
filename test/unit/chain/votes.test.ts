import assert from 'node:assert/strict'
import type { RecordId } from '../../../src/chain/ids.ts'
import {
  changeReputation,
  MAX_REPUTATION,
  MIN_REPUTATION,
  readReputation,
  readReputationState,
} from '../../../src/chain/state/reputation.ts'
import {
  readTally,
  readVote,
  scoreOf,
  settledAs,
  type Tally,
} from '../../../src/chain/state/votes.ts'
import { applyChanges, createOverlay } from '../../../src/chain/view.ts'
import {
  fileAdd,
  founded,
  join,
  params,
  type TestDevice,
  type TestLedger,
  vote,
} from './network.ts'

const tally = (authenticWeight: number, suspiciousWeight: number): Tally => ({
  authenticWeight,
  suspiciousWeight,
  authenticVotes: 1,
  suspiciousVotes: 1,
})

/** Voters with the greatest reputation: one of them is as much as thirty new ones. */
function trusted(chain: TestLedger, word: string): TestDevice {
  const member = join(chain, word)
  const overlay = createOverlay(chain.view)
  changeReputation(overlay, member.user as RecordId, { agree: 100, disagree: 0 })
  applyChanges(chain.state, overlay.changes())
  return member
}

describe('votes and reputation', () => {
  it('a version is settled from a weight of 3 on, at 70 per cent and above or 30 and below', () => {
    assert.equal(settledAs(tally(2_999, 0)), undefined)
    assert.equal(settledAs(tally(3_000, 0)), 'authentic')
    assert.equal(settledAs(tally(0, 3_000)), 'suspicious')
    assert.equal(settledAs(tally(7_000, 3_000)), 'authentic')
    assert.equal(settledAs(tally(6_999, 3_000)), undefined)
    assert.equal(settledAs(tally(3_000, 7_000)), 'suspicious')
    assert.equal(settledAs(tally(3_000, 6_999)), undefined)
  })

  it('the score is the share of the weight, not of the votes', () => {
    assert.equal(scoreOf(tally(0, 0)), undefined)
    assert.equal(scoreOf(tally(300, 100)), 75)
  })

  it('the latest vote of a user counts, with the weight of its time', () => {
    const { admin, chain } = founded()
    const bob = join(chain, 'bob')
    const file = admin.say(fileAdd('a'))
    chain.block(file, bob.say(vote(file.id, 'authentic')))
    assert.deepEqual(readTally(chain.view, file.id), {
      authenticWeight: 100,
      suspiciousWeight: 0,
      authenticVotes: 1,
      suspiciousVotes: 0,
    })
    chain.block(bob.say(vote(file.id, 'suspicious')))
    assert.deepEqual(readTally(chain.view, file.id), {
      authenticWeight: 0,
      suspiciousWeight: 100,
      authenticVotes: 0,
      suspiciousVotes: 1,
    })
  })

  it('reputation follows what is settled, and follows it back', () => {
    const { admin, chain } = founded()
    const [ann, bob, carl] = ['ann', 'bob', 'carl'].map((word) => trusted(chain, word))
    assert.ok(ann?.user && bob?.user && carl?.user)
    const [a, b, c] = [ann.user, bob.user, carl.user]
    const file = admin.say(fileAdd('a'))
    chain.block(file)
    const numbers = (): number[][] =>
      [a, b, c].map((user) => {
        const { agree, disagree } = readReputationState(chain.view, user)
        return [agree - 100, disagree]
      })

    chain.block(ann.say(vote(file.id, 'authentic')))
    assert.deepEqual(
      numbers(),
      [
        [1, 0],
        [0, 0],
        [0, 0],
      ],
      'settled by one',
    )
    chain.block(bob.say(vote(file.id, 'suspicious')))
    assert.deepEqual(
      numbers(),
      [
        [0, 0],
        [0, 0],
        [0, 0],
      ],
      'contested: nobody is right',
    )
    chain.block(carl.say(vote(file.id, 'suspicious')))
    assert.deepEqual(
      numbers(),
      [
        [0, 0],
        [0, 0],
        [0, 0],
      ],
      '33 per cent is contested still',
    )
    chain.block(ann.say(vote(file.id, 'suspicious')))
    assert.deepEqual(
      numbers(),
      [
        [1, 0],
        [1, 0],
        [1, 0],
      ],
      'settled as suspicious',
    )
    const dora = trusted(chain, 'dora')
    chain.block(dora.say(vote(file.id, 'authentic')))
    assert.deepEqual(
      numbers(),
      [
        [1, 0],
        [1, 0],
        [1, 0],
      ],
      '25 per cent is settled still',
    )
    assert.ok(dora.user)
    assert.equal(readReputationState(chain.view, dora.user).disagree, 1)
    assert.equal(readVote(chain.view, file.id, dora.user)?.weight, MAX_REPUTATION)
  })

  it('reputation stays within its bounds', () => {
    const { chain } = founded()
    const bob = join(chain, 'bob')
    assert.ok(bob.user)
    assert.equal(readReputation(chain.view, params, bob.user), MIN_REPUTATION)
    const change = (agree: number, disagree: number): number => {
      const overlay = createOverlay(chain.view)
      changeReputation(overlay, bob.user as RecordId, { agree, disagree })
      return readReputation(overlay, params, bob.user as RecordId)
    }
    assert.equal(change(3, 1), 300)
    assert.equal(change(0, 9), MIN_REPUTATION)
    assert.equal(change(1_000, 0), MAX_REPUTATION)
  })

  it('votes of one block weigh what their users were worth before it', () => {
    const { admin, chain } = founded()
    const ann = trusted(chain, 'ann')
    const bob = join(chain, 'bob')
    const files = [admin.say(fileAdd('a')), admin.say(fileAdd('b'))]
    chain.block(...files)
    const [one, two] = files
    assert.ok(one && two && bob.user)
    chain.block(ann.say(vote(one.id)), bob.say(vote(one.id)), bob.say(vote(two.id)))
    assert.equal(readVote(chain.view, two.id, bob.user)?.weight, 100)
    assert.equal(readReputation(chain.view, params, bob.user), 200)
  })
})
