/** Finds damage that SQLite cannot see: stored bytes that are no longer the ones that their id names. */
import { cidOf } from '../common/dag-cbor.ts'
import type { Database } from './sqlite.ts'

/** Rows that one step reads and hashes: about a millisecond. */
const PAGE_ROWS = 100

interface Row {
  number: number
  id: string
  bytes: Uint8Array
}

/**
 * Goes through all records and headers, a page a step, from wherever it is to whatever is stored by then.
 *
 * @returns (yields) after each page the id of a row that is damaged, or undefined
 */
export function* damagedRows(db: Database): Generator<string | undefined> {
  for (const [table, column] of [
    ['records', 'bytes'],
    ['blocks', 'header'],
  ] as const) {
    const page = db.prepare<Row>(
      `SELECT number, id, ${column} AS bytes FROM ${table} WHERE number > ? ORDER BY number LIMIT ${PAGE_ROWS}`,
    )
    for (let rows = page.all(0); rows.length > 0; rows = page.all(rows.at(-1)?.number ?? 0)) {
      yield rows.find(({ id, bytes }) => cidOf(bytes) !== id)?.id
    }
  }
}
