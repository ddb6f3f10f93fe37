/**
 * Where records stand on the best chain and what they did there: columns of `records` that the rules read
 * (stored-state.ts), so that they have a sum.
 */
import type { RecordOutcome } from '../chain/state/result.ts'
import { checksumOf } from './checksum.ts'
import type { Database } from './sqlite.ts'

/** Rows that are read at a time: other statements may run between two pages. */
const PAGE_ROWS = 256

export interface RecordPlace {
  readonly height: number
  readonly index: number
  readonly outcome: RecordOutcome['outcome']
  /** Null unless it was rejected. */
  readonly code: string | null
}

export interface NamedPlace extends RecordPlace {
  readonly id: string
}

export interface RecordPlaces {
  /** Of a record; undefined: it is pending, or unknown. @throws DATABASE_DAMAGED */
  placeOf(id: string): RecordPlace | undefined
  /** Of all whose ids begin so, in the order of ids. @throws DATABASE_DAMAGED */
  places(prefix: string): Iterable<NamedPlace>
}

export function placeSum(id: string, { height, index, outcome, code }: RecordPlace): number {
  return checksumOf(`${id} ${height} ${index} ${outcome} ${code ?? ''}`)
}

interface PlaceRow extends NamedPlace {
  readonly number: number
  /** Null: written before there were sums. */
  readonly sum: number | null
}

const PLACES = `SELECT number, id, height, place AS "index", outcome, code, sum FROM records
  WHERE height IS NOT NULL`

/** What the table does not hold yet. */
interface Waiting {
  /** Null: it is pending; undefined: the table holds it, or it is unknown. */
  waitingPlace(id: string): RecordPlace | null | undefined
  flush(): void
}

export function createRecordPlaces(db: Database, waiting: Waiting): RecordPlaces {
  const select = db.prepare<PlaceRow>(`${PLACES} AND id = ?`)
  const page = db.prepare<PlaceRow>(
    `${PLACES} AND id > ? AND id < ? ORDER BY id LIMIT ${PAGE_ROWS}`,
  )
  const checked = ({ sum, ...row }: PlaceRow): NamedPlace => {
    if (sum !== null && sum !== placeSum(row.id, row)) {
      throw db.damaged(`the place or outcome of record ${row.id} is not what was written`)
    }
    return row
  }
  const placeOf = (id: string): RecordPlace | undefined => {
    const place = waiting.waitingPlace(id)
    if (place !== undefined) return place ?? undefined
    const row = select.get(id)
    return row === undefined ? undefined : checked(row)
  }
  return {
    placeOf,
    *places(prefix) {
      const exact = prefix === '' ? undefined : placeOf(prefix)
      if (exact !== undefined) yield { id: prefix, ...exact }
      for (let after = prefix; ; ) {
        waiting.flush()
        const rows = page.all(after, `${prefix}\x7f`)
        for (const row of rows) yield checked(row)
        const last = rows.at(-1)
        if (last === undefined || rows.length < PAGE_ROWS) return
        after = last.id
      }
    },
  }
}

/** Gives the confirmed records of a database the sums that they have from format 3 on. */
export function sumPlaces(db: Database): void {
  const page = db.prepare<PlaceRow>(`${PLACES} AND number > ? ORDER BY number LIMIT ${PAGE_ROWS}`)
  const set = db.prepare('UPDATE records SET sum = ? WHERE number = ?')
  for (let rows = page.all(0); rows.length > 0; rows = page.all(rows.at(-1)?.number ?? 0)) {
    for (const row of rows) set.run(placeSum(row.id, row), row.number)
  }
}
