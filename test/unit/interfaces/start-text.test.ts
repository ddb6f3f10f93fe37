/** What `start`, `join` and their kind say first. */
import assert from 'node:assert/strict'
import { restoredText } from '../../../src/interfaces/cli/start-text.ts'

describe('what a start says', () => {
  it('of a restore: each place once, and those that were silent', () => {
    const text = restoredText({ height: 7, sources: ['r2', 'r2', 'disk'], late: ['postgres'] })
    assert.match(text, /block 7, from r2, disk\. postgres did not answer/)
    assert.doesNotMatch(restoredText({ height: 7, sources: ['r2'], late: [] }), /did not answer/)
  })
})
