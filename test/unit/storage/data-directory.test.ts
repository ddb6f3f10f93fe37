import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CairnError } from '../../../src/common/errors.ts'
import { LAYOUT_STEPS, openDataDirectory } from '../../../src/storage/data-directory.ts'
import { temporaryDirectories, thrownCode } from './temporary.ts'

const MODULE = new URL('../../../src/storage/data-directory.ts', import.meta.url).href

describe('storage/data-directory', () => {
  const directory = temporaryDirectories()
  const children: ChildProcess[] = []
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })

  /** A process that holds the directory. */
  const holder = async (path: string): Promise<ChildProcess> => {
    const code = `import { openDataDirectory } from ${JSON.stringify(MODULE)}
      openDataDirectory(${JSON.stringify(path)})
      console.log('held')
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(child)
    const [line] = (await once(child.stdout, 'data', { signal: AbortSignal.timeout(10_000) })) as [
      Buffer,
    ]
    assert.equal(line.toString().trim(), 'held')
    return child
  }

  it('makes the directory for its owner alone, and opens it again', () => {
    const path = join(directory(), 'deep', 'data')
    const data = openDataDirectory(path)
    assert.equal(statSync(path).mode & 0o777, 0o700)
    assert.equal(readFileSync(join(path, 'format'), 'latin1'), '1\n')
    assert.equal(data.database, join(path, 'cairn.sqlite'))
    data.release()
    data.release()
    openDataDirectory(path).release()
    assert.equal(existsSync(join(path, 'lock.pid')), false)
  })

  it('DATA_DIRECTORY_LOCKED: a second opening, in this process', () => {
    const path = directory()
    const data = openDataDirectory(path)
    assert.throws(
      () => openDataDirectory(path),
      (error) => {
        assert.ok(error instanceof CairnError)
        assert.equal(error.code, 'DATA_DIRECTORY_LOCKED')
        assert.equal(error.details.pid, String(process.pid))
        assert.ok(error.message.includes(String(process.pid)))
        return true
      },
    )
    data.release()
    openDataDirectory(path).release()
  })

  it('DATA_DIRECTORY_LOCKED names the other process; its death frees the directory', async () => {
    const path = directory()
    const child = await holder(path)
    assert.throws(
      () => openDataDirectory(path),
      (error) => error instanceof CairnError && error.details.pid === String(child.pid),
    )
    child.kill('SIGKILL')
    await once(child, 'exit', { signal: AbortSignal.timeout(10_000) })
    openDataDirectory(path).release()
  })

  it('takes a lock file that is damaged', () => {
    const path = directory()
    writeFileSync(
      join(path, 'lock'),
      'this is no database, and long enough to be read as one'.repeat(30),
    )
    openDataDirectory(path).release()
  })

  it('DATA_DIRECTORY_NOT_WRITABLE', () => {
    const path = directory()
    writeFileSync(join(path, 'file'), '')
    assert.equal(
      thrownCode(() => openDataDirectory(join(path, 'file', 'data'))),
      'DATA_DIRECTORY_NOT_WRITABLE',
    )
    assert.equal(
      thrownCode(() => openDataDirectory(join(path, 'file'))),
      'DATA_DIRECTORY_NOT_WRITABLE',
    )
  })

  it('DATA_FORMAT_NEWER and DATA_FORMAT_UNREADABLE: refused, nothing changed, the lock is free', () => {
    const path = directory()
    for (const [text, code] of [
      ['2\n', 'DATA_FORMAT_NEWER'],
      ['', 'DATA_FORMAT_UNREADABLE'],
      ['-1', 'DATA_FORMAT_UNREADABLE'],
      ['1e3', 'DATA_FORMAT_UNREADABLE'],
    ] as const) {
      writeFileSync(join(path, 'format'), text)
      assert.equal(
        thrownCode(() => openDataDirectory(path)),
        code,
      )
      assert.equal(readFileSync(join(path, 'format'), 'latin1'), text)
    }
    writeFileSync(join(path, 'format'), '1\n')
    openDataDirectory(path).release()
  })

  it('runs the steps that are missing, in order; a step that failed runs again', () => {
    const path = directory()
    openDataDirectory(path).release()
    const ran: number[] = []
    let fail = true
    const steps = [
      ...LAYOUT_STEPS,
      { format: 2, migrate: () => void ran.push(2) },
      {
        format: 3,
        migrate: () => {
          if (fail) throw new Error('killed here')
          ran.push(3)
        },
      },
    ]
    assert.throws(() => openDataDirectory(path, steps))
    fail = false
    openDataDirectory(path, steps).release()
    openDataDirectory(path, steps).release()
    assert.deepEqual(ran, [2, 3])
    assert.equal(
      thrownCode(() => openDataDirectory(path)),
      'DATA_FORMAT_NEWER',
    )
  })
})
