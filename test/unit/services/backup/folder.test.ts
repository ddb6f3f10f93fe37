import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../../../src/common/clock.ts'
import { createFolderDestination } from '../../../../src/services/backup/destinations/folder.ts'
import { destinationSuite } from '../../../contract/destination.ts'

const clock = systemClock
const never = new AbortController().signal

destinationSuite('folder', async () => {
  const top = await mkdtemp(join(tmpdir(), 'cairn-folder-'))
  const path = join(top, 'not', 'there', 'yet')
  return {
    destination: createFolderDestination({ clock }, { path }),
    again: async () => createFolderDestination({ clock }, { path }),
    end: () => rm(top, { recursive: true }),
  }
})

describe('a folder of backups', () => {
  let path: string
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'cairn-folder-'))
  })
  afterEach(async () => {
    await chmod(path, 0o700)
    await rm(path, { recursive: true })
  })

  it('keeps objects for its owner alone, and leaves no temporary file', async () => {
    const folder = createFolderDestination({ clock }, { path })
    await folder.put('a/b', Uint8Array.of(1), { signal: never })
    assert.deepEqual(await readdir(join(path, 'a')), ['b'])
    if (process.platform === 'win32') return
    assert.equal((await stat(join(path, 'a', 'b'))).mode & 0o777, 0o600)
    assert.equal((await stat(join(path, 'a'))).mode & 0o777, 0o700)
  })

  it('does not list what a killed process left, and removes it after a day', async () => {
    const folder = createFolderDestination({ clock }, { path })
    await writeFile(join(path, '.tmp-0011223344556677'), 'half')
    assert.deepEqual(await folder.list('', never), [])
    assert.equal((await readdir(path)).length, 1, 'a writer may still be at work')
    const old = clock.now() / 1000 - 90_000
    await utimes(join(path, '.tmp-0011223344556677'), old, old)
    assert.deepEqual(await folder.list('', never), [])
    assert.deepEqual(await readdir(path), [])
  })

  it('says when it cannot be reached', async () => {
    const file = join(path, 'file')
    await writeFile(file, 'not a folder')
    const inFile = createFolderDestination(
      { clock },
      { path: join(file, 'x'), name: 'second disk' },
    )
    await assert.rejects(inFile.put('a', Uint8Array.of(1), { signal: never }), {
      code: 'DESTINATION_UNREACHABLE',
      message: /second disk/,
    })
    await assert.rejects(inFile.list('', never), { code: 'DESTINATION_UNREACHABLE' })
  })

  it('passes over what has no name of an object: copies that a sync program made', async () => {
    const folder = createFolderDestination({ clock }, { path })
    await folder.put('a/b.car', Uint8Array.of(1), { signal: never })
    await writeFile(join(path, 'a', 'b (1).car'), 'copy')
    assert.deepEqual(
      (await folder.list('', never)).map(({ name }) => name),
      ['a/b.car'],
    )
  })

  it('is not held up by a pipe or a device in the place of an object', async function () {
    if (process.platform === 'win32') return this.skip()
    const folder = createFolderDestination({ clock }, { path })
    // More of them than the threads that open files.
    const pipes = Array.from({ length: 8 }, (_, n) => `pipe-${n}`)
    execFileSync('mkfifo', pipes, { cwd: path })
    await symlink('/dev/zero', join(path, 'endless'))
    for (const name of ['endless', ...pipes]) {
      await assert.rejects(folder.get(name, never), { code: 'OBJECT_NOT_FOUND' })
    }
  })

  it('says when it may not be written', async function () {
    if (process.platform === 'win32' || process.getuid?.() === 0) return this.skip()
    const closed = join(path, 'closed')
    await mkdir(closed, { mode: 0o500 })
    const refused = createFolderDestination({ clock }, { path: closed })
    await assert.rejects(refused.put('a', Uint8Array.of(1), { signal: never }), {
      code: 'DESTINATION_REFUSED',
    })
  })
})
