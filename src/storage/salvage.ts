/**
 * What a damaged database still holds, best effort. Reads a copy, so that the damaged file stays as it was found.
 *
 * owns: getting bytes out of a broken file
 * does not own: whether they are right: whoever takes them checks them like a stranger's
 */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { frame } from './block-table.ts'

export interface SalvagedBlock {
  readonly header: Uint8Array
  readonly body: Uint8Array
}

export interface Salvage {
  /** Blocks of the best chain above genesis, in order, as far as they are whole. */
  blocks(): Iterable<SalvagedBlock>
  /** Records, in the order of their arrival, as far as they can be read. */
  records(): Iterable<Uint8Array>
  /** Removes the copy. Idempotent. */
  close(): void
}

/** Pages that cannot be read are stepped over in strides of this many rows. */
const STRIDE = 64

/** @param path - the damaged file, which is not changed */
export function openSalvage(path: string): Salvage {
  const directory = mkdtempSync(join(dirname(path), 'salvage-'))
  const copy = join(directory, 'copy.sqlite')
  let db: DatabaseSync | undefined
  const close = (): void => {
    if (db?.isOpen === true) db.close()
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    copyFileSync(path, copy)
    if (existsSync(`${path}-wal`)) copyFileSync(`${path}-wal`, `${copy}-wal`)
    db = new DatabaseSync(copy)
  } catch {
    // Not even a database: there is nothing to get out of it.
  }
  /** Rows of a query; none when it fails. */
  const rows = (sql: string, ...values: number[]): Record<string, unknown>[] | undefined => {
    try {
      return db?.prepare(sql).all(...values) as Record<string, unknown>[] | undefined
    } catch {
      return undefined
    }
  }
  const recordBytes = (number: number): Uint8Array | undefined => {
    const bytes = rows('SELECT bytes FROM records WHERE number = ?', number)?.[0]?.bytes
    return bytes instanceof Uint8Array ? bytes : undefined
  }

  return {
    *blocks() {
      for (let height = 1; ; height += 1) {
        const row = rows(
          'SELECT header, records FROM main JOIN blocks ON number = block WHERE main.height = ?',
          height,
        )?.[0]
        if (!(row?.header instanceof Uint8Array) || !(row.records instanceof Uint8Array)) return
        const numbers = Buffer.from(row.records)
        const body: Uint8Array[] = []
        for (let at = 0; at + 4 <= numbers.length; at += 4) {
          const bytes = recordBytes(numbers.readUInt32BE(at))
          if (bytes === undefined) return
          body.push(bytes)
        }
        yield { header: row.header, body: frame(body) }
      }
    },
    *records() {
      const last = Number(rows('SELECT max(number) AS n FROM records')?.[0]?.n ?? 0)
      for (let from = 1; from <= last; from += STRIDE) {
        const whole = rows(
          'SELECT bytes FROM records WHERE number >= ? AND number < ? ORDER BY number',
          from,
          from + STRIDE,
        )
        const found =
          whole?.map(({ bytes }) => bytes) ??
          Array.from({ length: STRIDE }, (_, index) => recordBytes(from + index))
        for (const bytes of found) if (bytes instanceof Uint8Array) yield bytes
      }
    },
    close,
  }
}
