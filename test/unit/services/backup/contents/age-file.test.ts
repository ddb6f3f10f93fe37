import assert from 'node:assert/strict'
import { Decrypter, Encrypter } from 'age-encryption'
import fc from 'fast-check'
import { KIB } from '../../../../../src/common/limits.ts'
import { openLarge, sealLarge } from '../../../../../src/services/backup/contents/age-file.ts'
import { createMarkTable, MARK_BYTES } from '../../../../../src/services/backup/contents/marks.ts'
import { backupKeyOf } from '../../../../../src/services/backup/keys.ts'
import { key } from '../../../../helpers/backup-world.ts'
import { pattern } from '../../../storage/blockstore-helpers.ts'

const CHUNK = 64 * KIB

describe('large age files', () => {
  for (const size of [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 20 * CHUNK, 20 * CHUNK + 7]) {
    it(`of ${size} bytes are those of the library, both ways`, async () => {
      const plain = pattern(size)
      const decrypter = new Decrypter()
      decrypter.addIdentity(key.identity)
      assert.ok(
        Buffer.from(await decrypter.decrypt(await sealLarge(key.recipient, plain))).equals(plain),
      )
      const encrypter = new Encrypter()
      encrypter.addRecipient(key.recipient)
      const opened = await openLarge(key, await encrypter.encrypt(plain), 'test')
      assert.ok(Buffer.from(opened).equals(plain))
    })
  }

  it('that are damaged, cut off, or for somebody else do not open', async () => {
    const sealed = await sealLarge(key.recipient, pattern(3 * CHUNK))
    const wrong = { code: 'BACKUP_DAMAGED' }
    for (const at of [30, 200, 300, sealed.length - CHUNK, sealed.length - 1]) {
      const damaged = Uint8Array.from(sealed)
      damaged[at] = (damaged[at] ?? 0) ^ 1
      await assert.rejects(openLarge(key, damaged, 'test'), wrong, `byte ${at}`)
    }
    const size = CHUNK + 16
    for (const length of [0, 10, 200, sealed.length - 1, sealed.length - size]) {
      await assert.rejects(openLarge(key, sealed.subarray(0, length), 'test'), wrong)
    }
    const other = backupKeyOf(new Uint8Array(32).fill(9))
    await assert.rejects(openLarge(other, sealed, 'test'), wrong)
  })
})

describe('the table of marks', () => {
  it('is a map', () => {
    const mark = fc.uint8Array({ minLength: MARK_BYTES, maxLength: MARK_BYTES })
    const few = fc.integer({ min: 0, max: 40 }).map((n) => new Uint8Array(MARK_BYTES).fill(n))
    const entries = fc.array(fc.tuple(fc.oneof(mark, few), fc.nat()), { maxLength: 3000 })
    fc.assert(
      fc.property(entries, (all) => {
        const table = createMarkTable()
        const map = new Map<string, number>()
        for (const [each, value] of all) {
          table.set(each, value)
          map.set(each.join(), value)
        }
        assert.equal(table.size, map.size)
        for (const [each] of all) assert.equal(table.get(each), map.get(each.join()))
        assert.equal(table.get(new Uint8Array(MARK_BYTES).fill(200)), undefined)
      }),
      { numRuns: 20 },
    )
  })
})
