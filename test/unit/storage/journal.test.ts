import assert from 'node:assert/strict'
import { fdatasyncSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { utf8 } from '../../../src/common/bytes.ts'
import { MAX_RECORD_BYTES } from '../../../src/common/limits.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { type JournalDisk, openJournal } from '../../../src/storage/journal.ts'
import { temporaryDirectories, thrownCode } from './temporary.ts'

describe('storage/journal', () => {
  const directory = temporaryDirectories()
  const open = (path: string, disk?: JournalDisk) =>
    openJournal(path, { logger: silentLogger, ...(disk === undefined ? {} : { disk }) })
  const texts = (entries: Iterable<Uint8Array>): string[] =>
    Array.from(entries, (entry) => Buffer.from(entry).toString())
  const written = (entries: readonly string[]): string => {
    const path = join(directory(), 'journal')
    const journal = open(path)
    for (const entry of entries) journal.append(utf8(entry))
    journal.close()
    return path
  }

  it('gives back what was appended, across openings and windows', () => {
    const path = written(['one', '', 'three'])
    const journal = open(path)
    journal.append(utf8('four'), utf8('five'))
    assert.deepEqual(texts(journal.read()), ['one', '', 'three', 'four', 'five'])
    const large = new Uint8Array(MAX_RECORD_BYTES).fill(7)
    for (let n = 0; n < 150; n += 1) journal.append(large)
    journal.close()
    const again = open(path)
    assert.equal(again.read().length, 155)
    assert.deepEqual(again.read().at(-1), large)
    assert.equal(again.damagedBytes + again.cutBytes, 0)
    again.close()
    again.close()
  })

  it('is for its owner alone', () => {
    assert.equal(statSync(written(['one'])).mode & 0o777, 0o600)
  })

  it('cuts a torn tail of any length and goes on', () => {
    const path = written(['one', 'two'])
    const whole = readFileSync(path)
    const last = whole.length - 40 - 3
    for (let length = last; length < whole.length; length += 1) {
      writeFileSync(path, whole.subarray(0, length))
      const journal = open(path)
      assert.deepEqual(texts(journal.read()), ['one'])
      assert.equal(journal.cutBytes, length - last)
      journal.append(utf8('three'))
      journal.close()
      const again = open(path)
      assert.deepEqual(texts(again.entries()), ['one', 'three'])
      again.close()
    }
  })

  it('skips any damage in the middle, reports it, and keeps the rest', () => {
    const entries = ['one', 'two', 'CJ1\nthree', 'four']
    const path = written(entries)
    const whole = readFileSync(path)
    const firstEnd = 40 + 3
    fc.assert(
      fc.property(
        fc.integer({ min: firstEnd, max: firstEnd + 40 + 2 }),
        fc.integer({ min: 1, max: 255 }),
        (at, flip) => {
          const bytes = Buffer.from(whole)
          bytes[at] = (bytes[at] ?? 0) ^ flip
          writeFileSync(path, bytes)
          const journal = open(path)
          assert.deepEqual(texts(journal.read()), ['one', 'CJ1\nthree', 'four'])
          assert.equal(journal.damagedBytes, 43)
          journal.append(utf8('five'))
          assert.deepEqual(texts(journal.read()), ['one', 'CJ1\nthree', 'four', 'five'])
          journal.close()
        },
      ),
      { numRuns: 50 },
    )
  })

  it('opens a file of random bytes', () => {
    const path = join(directory(), 'journal')
    writeFileSync(path, Buffer.alloc(100_000, 'CJ1\nCJ1'))
    const journal = open(path)
    assert.deepEqual(journal.read(), [])
    journal.append(utf8('one'))
    journal.close()
    const again = open(path)
    assert.deepEqual(texts(again.read()), ['one'])
    again.close()
  })

  it('STORAGE_FULL: the journal is as before, and takes entries when there is space', () => {
    const path = join(directory(), 'journal')
    let space = 100
    const disk: JournalDisk = {
      write: (file, bytes, offset, length, at) => {
        if (space === 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
        const part = Math.min(length, space)
        space -= part
        return writeSync(file, bytes, offset, part, at)
      },
      flush: fdatasyncSync,
    }
    const journal = open(path, disk)
    journal.append(utf8('one'))
    const before = statSync(path).size
    assert.equal(
      thrownCode(() => journal.append(new Uint8Array(500))),
      'STORAGE_FULL',
    )
    assert.equal(statSync(path).size, before)
    assert.deepEqual(texts(journal.read()), ['one'])
    space = 1000
    journal.append(utf8('two'))
    journal.close()
    const again = open(path)
    assert.deepEqual(texts(again.read()), ['one', 'two'])
    again.close()
  })

  it('does not acknowledge what could not be flushed', () => {
    const path = written(['one'])
    let broken = true
    const journal = open(path, {
      write: writeSync,
      flush: (file) => {
        if (broken) throw Object.assign(new Error('i/o'), { code: 'EIO' })
        fdatasyncSync(file)
      },
    })
    assert.equal(
      thrownCode(() => journal.append(utf8('two'))),
      'STORAGE_FAILED',
    )
    broken = false
    journal.append(utf8('three'))
    assert.deepEqual(texts(journal.read()), ['one', 'three'])
    journal.close()
  })
})
