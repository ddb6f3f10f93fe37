import assert from 'node:assert/strict'
import { errorFamily } from '../../../src/common/errors.ts'
import { count } from '../../../src/common/plural.ts'

describe('numbers of things', () => {
  it('one is one', () => {
    const words = [0, 1, 2].map((number) => count(number, 'block'))
    assert.deepEqual(words, ['0 blocks', '1 block', '2 blocks'])
  })
  it('in the words of errors', () => {
    const error = errorFamily({ LATE: { says: 'It took {seconds:second}.' } })
    assert.equal(error('LATE', { seconds: 1 }).message, 'It took 1 second.')
    assert.equal(error('LATE', { seconds: 1.5 }).message, 'It took 1.5 seconds.')
    assert.equal(error('LATE', {}).message, 'It took ? seconds.')
  })
})
