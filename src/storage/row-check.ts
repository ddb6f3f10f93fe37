/**
 * Finds damage that SQLite cannot see: rows that are no longer what was written. What stands under a hash is
 * hashed, what follows from it is derived again, and the rest has a sum beside it.
 *
 * Not covered: when and whence a record came (`received`, `own`, `ever`, `in_body`), whether a block is invalid,
 * what opened private versions say, the pins.
 */
import { decodeHeader, decodeRecord } from '../chain/codec.ts'
import type { BlockId, DeviceId, RecordId } from '../chain/ids.ts'
import { chainworkFromBytes } from '../chain/pow.ts'
import { checksumOf } from './checksum.ts'
import { fileSum, type SummedFile } from './file-rows.ts'
import { parentsOf, rootOf, subjectOf } from './record-facts.ts'
import { placeSum } from './record-places.ts'
import type { Outcome } from './record-table.ts'
import type { Database } from './sqlite.ts'

/** Rows that one step reads and checks: about a millisecond. */
const PAGE_ROWS = 25

type Steps = Generator<string | undefined>

/**
 * Goes through all tables of the chain, a page a step, from wherever they are to whatever is stored by then. To be
 * asked for the next step outside a transaction.
 *
 * @returns (yields) after each page the id of a row that is damaged, or undefined
 */
export function* damagedRows(db: Database): Steps {
  yield* stateRows(db)
  yield* fileRows(db)
  yield* recordRows(db)
  yield* blockRows(db)
  yield* undoRows(db)
  yield* mainRows(db)
}

function* stateRows(db: Database): Steps {
  const page = db.prepare<{ key: string; value: Uint8Array; sum: number | null }>(
    `SELECT key, value, sum FROM state WHERE key > ? ORDER BY key LIMIT ${PAGE_ROWS}`,
  )
  for (let rows = page.all(''); rows.length > 0; rows = page.all(rows.at(-1)?.key ?? '')) {
    yield rows.find(({ key, value, sum }) => sum !== null && sum !== checksumOf(key, value))?.key
  }
}

function* fileRows(db: Database): Steps {
  const page = db.prepare<SummedFile & { sum: number | null }>(
    `SELECT file, owner, name, search, shown, version, heads, pending, sum FROM files
     WHERE file > ? ORDER BY file LIMIT ${PAGE_ROWS}`,
  )
  const heads = db.prepare<{ version: string }>('SELECT version FROM file_heads WHERE file = ?')
  for (let rows = page.all(''); rows.length > 0; rows = page.all(rows.at(-1)?.file ?? '')) {
    yield rows.find(({ sum, ...row }) => {
      if (sum === null) return false
      const versions = row.heads === 1 ? [] : heads.all(row.file).map(({ version }) => version)
      return sum !== fileSum(row, versions)
    })?.file
  }
}

interface RecordRow {
  number: number
  id: RecordId
  device: DeviceId
  sequence: number
  user: string | null
  type: string
  subject: string | null
  identity: string | null
  root: string | null
  height: number | null
  place: number | null
  outcome: Outcome | null
  code: string | null
  sum: number | null
  bytes: Uint8Array
  /** The number that the body of the block at its place has there. */
  placed: Uint8Array | null
}

function* recordRows(db: Database): Steps {
  const page = db.prepare<RecordRow>(
    `SELECT records.number, records.id, device, sequence, user, type, subject, identity, root, records.height,
       place, outcome, records.code, sum, bytes, substr(blocks.records, place * 4 + 1, 4) AS placed
     FROM records LEFT JOIN main ON main.height = records.height
     LEFT JOIN blocks ON blocks.number = main.block
     WHERE records.number > ? ORDER BY records.number LIMIT ${PAGE_ROWS}`,
  )
  const covers = db.prepare('SELECT 1 FROM covers WHERE version = ? AND record = ?')
  const isWhole = (row: RecordRow): boolean => {
    const record = decodeRecord(row.bytes)
    const { identity } = record
    return (
      record.id === row.id &&
      record.device === row.device &&
      record.sequence === row.sequence &&
      record.type === row.type &&
      (record.user ?? identity) === row.user &&
      (identity === record.id ? null : identity) === row.identity &&
      subjectOf(record) === row.subject &&
      rootOf(record) === row.root &&
      isPlaceWhole(row) &&
      parentsOf(record).every((version) => covers.get(version, row.number) !== undefined)
    )
  }
  for (let rows = page.all(0); rows.length > 0; rows = page.all(rows.at(-1)?.number ?? 0)) {
    yield rows.find((row) => !holds(() => isWhole(row)))?.id
  }
}

function isPlaceWhole({ id, number, placed, sum, height, place: index, outcome, code }: RecordRow) {
  if (height === null || index === null || outcome === null) {
    return height === null && outcome === null && sum === null
  }
  if (numberIn(placed) !== number) return false
  return sum === null || sum === placeSum(id, { height, index, outcome, code })
}

interface BlockRow {
  number: number
  id: BlockId
  parent: BlockId | null
  height: number
  chainwork: Uint8Array
  body: string
  header: Uint8Array
}

function* blockRows(db: Database): Steps {
  const page = db.prepare<BlockRow>(
    `SELECT number, id, parent, height, chainwork, body, header FROM blocks
     WHERE number > ? ORDER BY number LIMIT ${PAGE_ROWS}`,
  )
  const workOf = db.prepare<{ chainwork: Uint8Array }>('SELECT chainwork FROM blocks WHERE id = ?')
  const isWhole = (row: BlockRow): boolean => {
    const { id, header } = decodeHeader(row.header)
    const below = row.parent === null ? undefined : workOf.get(row.parent)?.chainwork
    return (
      id === row.id &&
      header.parent === row.parent &&
      header.height === row.height &&
      header.records === row.body &&
      (below === undefined ||
        chainworkFromBytes(row.chainwork) === chainworkFromBytes(below) + BigInt(header.difficulty))
    )
  }
  for (let rows = page.all(0); rows.length > 0; rows = page.all(rows.at(-1)?.number ?? 0)) {
    yield rows.find((row) => !holds(() => isWhole(row)))?.id
  }
}

function* undoRows(db: Database): Steps {
  const page = db.prepare<{ block: number; data: Uint8Array; sum: number | null }>(
    `SELECT block, data, sum FROM undo WHERE block > ? ORDER BY block LIMIT ${PAGE_ROWS}`,
  )
  for (let rows = page.all(0); rows.length > 0; rows = page.all(rows.at(-1)?.block ?? 0)) {
    const damaged = rows.find(({ data, sum }) => sum !== null && sum !== checksumOf(data))
    yield damaged === undefined ? undefined : `undo data ${damaged.block}`
  }
}

/** Every record of the best chain has its place: the other way round than `recordRows` looks. */
function* mainRows(db: Database): Steps {
  const page = db.prepare<{ height: number; id: BlockId; records: Uint8Array | null }>(
    `SELECT main.height, id, records FROM main JOIN blocks ON number = block
     WHERE main.height > ? ORDER BY main.height LIMIT 1`,
  )
  const heightOf = db.prepare<{ height: number | null }>(
    'SELECT height FROM records WHERE number = ?',
  )
  for (let row = page.get(-1); row !== undefined; row = page.get(row.height)) {
    const { height, id, records } = row
    const list = records ?? new Uint8Array()
    let whole = records !== null
    for (let at = 0; at < list.length && whole; at += 4) {
      const number = numberIn(list.subarray(at, at + 4))
      whole = number !== undefined && heightOf.get(number)?.height === height
    }
    yield whole ? undefined : id
  }
}

/** False, too, when the bytes cannot be decoded. */
function holds(check: () => boolean): boolean {
  try {
    return check()
  } catch {
    return false
  }
}

function numberIn(bytes: Uint8Array | null): number | undefined {
  if (bytes === null || bytes.length !== 4) return undefined
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0)
}
