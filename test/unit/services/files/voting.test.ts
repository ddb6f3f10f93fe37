import assert from 'node:assert/strict'
import { streamOf, withAdaAndBob } from './files-node.ts'

const { signal } = new AbortController()
const options = { name: 'a', visibility: 'public' } as const

describe('votes', () => {
  it('a vote is listed at once, counts when it is confirmed, and the latest one of a user counts', () =>
    withAdaAndBob(async (ada, bob) => {
      const { file, version } = await ada.files.add(streamOf('x'), options, { signal })
      await ada.tell(bob)
      const first = await bob.votes.cast(file, { verdict: 'suspicious', comment: 'hm' }, signal)
      assert.deepEqual(
        [first.user.name, first.version, first.comment, first.weight, first.state.status],
        ['bob', version, 'hm', null, 'pending'],
      )
      assert.equal(bob.files.info(file).tally.score, null)
      await bob.votes.cast(file, { verdict: 'authentic' }, signal)
      await bob.tell(ada)
      await ada.node.mine()
      const tally = { score: 100, authentic: 1, suspicious: 0, weight: 100, settled: false }
      assert.deepEqual(ada.files.find('a').tally, tally)
      assert.deepEqual(ada.files.info(file).tally, tally)
      const votes = ada.votes.of(file)
      assert.deepEqual(
        votes.map((vote) => [vote.verdict, vote.counts, vote.weight, vote.state.outcome]).sort(),
        [
          ['authentic', true, 100, 'applied'],
          ['suspicious', false, null, 'applied'],
        ],
      )
    }))

  it('VOTE_OWN_FILE, VOTE_COMMENT, VOTE_VERDICT, VERSION_NOT_FOUND, FILE_NOT_FOUND', () =>
    withAdaAndBob(async (ada, bob) => {
      const { file, root } = await ada.files.add(streamOf('x'), options, { signal })
      await ada.tell(bob)
      const verdict = 'authentic' as const
      await assert.rejects(ada.votes.cast(file, { verdict }, signal), { code: 'VOTE_OWN_FILE' })
      await assert.rejects(bob.votes.cast(file, { verdict, comment: 'x'.repeat(1001) }, signal), {
        code: 'VOTE_COMMENT',
      })
      await bob.votes.cast(file, { verdict, comment: '\u{1f5ff}'.repeat(1000) }, signal)
      await assert.rejects(bob.votes.cast(file, { verdict: 'good' as 'authentic' }, signal), {
        code: 'VOTE_VERDICT',
      })
      await assert.rejects(bob.votes.cast(file, { verdict, version: root }, signal), {
        code: 'VERSION_NOT_FOUND',
      })
      await assert.rejects(bob.votes.cast('bafy', { verdict }, signal), { code: 'FILE_NOT_FOUND' })
    }))
})
