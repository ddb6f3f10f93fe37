import assert from 'node:assert/strict'
import { MAX_LATE_PER_BLOCK } from '../../../src/chain/late-records.ts'
import { readFile } from '../../../src/chain/state/files.ts'
import { readRecordState } from '../../../src/chain/state/records.ts'
import { readTally, readVote } from '../../../src/chain/state/votes.ts'
import { access, fileAdd, fileUpdate, founded, join, vote } from './network.ts'

describe('late references', () => {
  it('a record waits for what it names, and is evaluated by the block that brings it', () => {
    const { admin, chain } = founded()
    const bob = join(chain, 'bob')
    const file = admin.say(fileAdd('a'))
    const early = bob.say(vote(file.id))
    assert.equal(chain.outcome(early), 'waiting')
    const effect = chain.block(file)
    assert.deepEqual(effect.outcomes, [{ record: file.id, outcome: 'applied' }])
    assert.deepEqual(effect.late, [{ record: early.id, outcome: 'applied' }])
    assert.equal(readRecordState(chain.view, early.id)?.outcome, 'applied')
    assert.equal(readTally(chain.view, file.id).authenticVotes, 1)
    assert.ok(![...chain.state.keys()].some((key) => key.startsWith('waiting/')))
  })

  it('cascades in chain order within one block', () => {
    const { admin, chain } = founded()
    const bob = join(chain, 'bob')
    const carl = join(chain, 'carl')
    const file = bob.say(fileAdd('a'))
    const second = bob.say(fileUpdate(file.id, [file.id], 'b'))
    const third = bob.say(fileUpdate(file.id, [second.id], 'c'))
    // Everybody else's records that rest on these come first, the deepest one first.
    const onThird = carl.say(vote(third.id))
    const onSecond = admin.say(vote(second.id))
    const onFile = admin.say(access(file.id))
    for (const record of [onThird, onSecond, onFile]) {
      assert.equal(chain.outcome(record), 'waiting')
    }
    const effect = chain.block(file, second, third)
    assert.deepEqual(
      effect.late.map(({ record }) => record),
      [onFile.id, onSecond.id, onThird.id],
    )
    assert.ok(effect.late.every(({ outcome }) => outcome === 'applied'))
    assert.deepEqual(readFile(chain.view, file.id)?.heads, [third.id])
  })

  it('a record that misses several waits for one after the other', () => {
    const { admin, chain } = founded()
    const file = admin.say(fileAdd('a'))
    const left = admin.say(fileUpdate(file.id, [file.id], 'left'))
    const right = admin.say(fileUpdate(file.id, [file.id], 'right'))
    const bob = join(chain, 'bob')
    const curious = bob.say(access(right.id))
    const wrong = bob.say(fileUpdate(file.id, [left.id, right.id]))
    assert.equal(chain.outcome(curious), 'waiting')
    assert.equal(chain.outcome(wrong), 'waiting')
    assert.deepEqual(chain.block(file).late, [{ record: wrong.id, outcome: 'waiting' }])
    assert.deepEqual(chain.block(left).late, [{ record: wrong.id, outcome: 'waiting' }])
    assert.deepEqual(chain.block(right).late, [
      { record: curious.id, outcome: 'applied' },
      { record: wrong.id, outcome: 'rejected', code: 'NOT_THE_OWNER' },
    ])
  })

  it('a reference to a record that was rejected late is rejected too', () => {
    const { admin, chain } = founded()
    const bob = join(chain, 'bob')
    const file = admin.say(fileAdd('a'))
    const stolen = bob.say(fileUpdate(file.id, [file.id]))
    const praise = bob.say(vote(stolen.id))
    chain.block(stolen, praise)
    assert.deepEqual(chain.block(file).late, [
      { record: stolen.id, outcome: 'rejected', code: 'NOT_THE_OWNER' },
      { record: praise.id, outcome: 'rejected', code: 'REFERENCE_REJECTED' },
    ])
  })

  it('what is more than one block evaluates is left to the next; a later vote stays the one that counts', () => {
    const { admin, chain } = founded()
    const bob = join(chain, 'bob')
    const file = admin.say(fileAdd('a'))
    const many = Array.from({ length: MAX_LATE_PER_BLOCK }, () => bob.say(access(file.id)))
    const old = bob.say(vote(file.id, 'suspicious'))
    const newer = bob.say(vote(file.id, 'authentic'))
    const half = many.length / 2
    chain.block(...many.slice(0, half))
    chain.block(...many.slice(half), old)

    const first = chain.block(file, newer)
    assert.equal(first.late.length, MAX_LATE_PER_BLOCK)
    assert.ok(chain.state.has(`due/${file.id}`))
    assert.equal(first.outcomes[1]?.outcome, 'applied')
    const second = chain.block()
    assert.deepEqual(
      [...first.late, ...second.late].map(({ record }) => record),
      [...many, old].map(({ id }) => id),
      'each once, in chain order',
    )
    assert.equal(second.late[0]?.outcome, 'applied')
    assert.equal(readVote(chain.view, file.id, bob.user ?? file.id)?.record, newer.id)
    assert.equal(readTally(chain.view, file.id).suspiciousVotes, 0)
    assert.ok(![...chain.state.keys()].some((key) => /^(due|waiting)\//.test(key)))
  })
})
