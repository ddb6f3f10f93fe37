import assert from 'node:assert/strict'
import { contentsChoice } from '../../../src/node/backup-contents.ts'

const places = [
  { kind: 'postgres', name: 'postgres db/cairn' },
  { kind: 's3', name: 'r2 cairn-backups' },
  { kind: 'ipfs', name: 'pinata' },
  { kind: 'folder', name: '/mnt/data/backups' },
] as const
const chosen = (...entries: string[]): string[] =>
  places.filter(contentsChoice(entries).has).map(({ name }) => name)

describe('which destinations get contents of files', () => {
  it('none, unless it is set', () => {
    assert.deepEqual(chosen(), [])
    assert.deepEqual(places.filter(contentsChoice(undefined).has), [])
    for (const no of ['none', 'false', 'no', '0', '']) assert.deepEqual(chosen(no), [])
  })

  it('all but IPFS, from where nothing comes back', () => {
    for (const yes of ['all', 'true', 'yes', '1']) {
      assert.deepEqual(chosen(yes), ['postgres db/cairn', 'r2 cairn-backups', '/mnt/data/backups'])
    }
    assert.equal(chosen('all', 'ipfs').length, 4)
  })

  it('by kind, by name, by how the name begins', () => {
    assert.deepEqual(chosen('folder', 's3'), ['r2 cairn-backups', '/mnt/data/backups'])
    assert.deepEqual(chosen('r2'), ['r2 cairn-backups'])
    assert.deepEqual(chosen('pinata'), ['pinata'])
    assert.deepEqual(chosen('/mnt/data/backups'), ['/mnt/data/backups'])
    assert.deepEqual(chosen('r'), [])
  })

  it('what means none of them is told', () => {
    const choice = contentsChoice(['floder', 'folder', 'all'])
    assert.deepEqual(choice.strange(places), ['floder'])
  })
})
