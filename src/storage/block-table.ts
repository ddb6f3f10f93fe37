/**
 * All headers and bodies ever known, and which of them are the best chain.
 *
 * A body is stored as the list of its records' numbers: the records stand in their own table anyway, and the
 * bytes of a body are a fixed frame around theirs.
 */
import type { BlockHeader, SealedHeader } from '../chain/block.ts'
import { decodeHeader } from '../chain/codec.ts'
import type { BlockId, BodyId } from '../chain/ids.ts'
import { chainworkFromBytes, chainworkToBytes } from '../chain/pow.ts'
import { concatBytes } from '../common/bytes.ts'
import { cidOf } from '../common/dag-cbor.ts'
import { assert } from '../common/errors.ts'
import { createCache } from './cache.ts'
import type { RecordTable } from './record-table.ts'
import type { Database } from './sqlite.ts'
import { readStored } from './stored-value.ts'

/**
 * Decoded headers in memory, below a kilobyte each: the blocks of one import of a long sync, some 2,500, from when
 * they are stored until they are connected. A cache forgets half of its entries at a time.
 */
const CACHED_BLOCKS = 6144
/** Ids that nothing is stored under, some hundred bytes each: in a sync each is asked for at every step. */
const CACHED_ABSENT = 16_384
/** Blocks that one call of `betterThan` gives at most: each costs its sender proof of work. */
const MAX_CANDIDATES = 1000

/** `stored`: not evaluated yet · `valid`: was connected once · `invalid`: it or an ancestor broke a rule. */
export type BlockStatus = 'stored' | 'valid' | 'invalid'

export interface StoredBlock {
  readonly id: BlockId
  readonly header: BlockHeader
  readonly height: number
  /** Sum of the difficulties from genesis to here. */
  readonly chainwork: bigint
  readonly hasBody: boolean
  readonly status: BlockStatus
  /** Why it is invalid. */
  readonly code?: string
}

export interface BlockTable {
  get(id: BlockId): StoredBlock | undefined
  headerBytes(id: BlockId): Uint8Array | undefined
  /** The block's own number and those of its body's records, in order; undefined: the body is not here. */
  numbers(id: BlockId): { number: number; numbers: number[] } | undefined
  body(id: BlockId): Uint8Array | undefined
  bodyById(id: BodyId): Uint8Array | undefined
  put(sealed: SealedHeader, chainwork: bigint, body: readonly number[] | undefined): void
  setStatus(id: BlockId, status: BlockStatus, code?: string): void
  children(id: BlockId): BlockId[]
  /** With a body, not invalid, with at least this much work; most work first. */
  betterThan(chainwork: bigint): StoredBlock[]
  tip(): StoredBlock | undefined
  idAt(height: number): BlockId | undefined
  mainHeaders(from: number, count: number): Uint8Array[]
  /** Makes it the tip. */
  extend(block: StoredBlock): void
  /** Its parent becomes the tip again. */
  shorten(block: StoredBlock): void
}

interface BlockRow {
  number: number
  id: BlockId
  height: number
  chainwork: Uint8Array
  status: BlockStatus
  code: string | null
  header: Uint8Array
  has_body: number
}

const COLUMNS = `number, id, blocks.height, chainwork, status, code, header, records IS NOT NULL AS has_body`

export function createBlockTable(db: Database, records: RecordTable): BlockTable {
  const select = db.prepare<BlockRow>(`SELECT ${COLUMNS} FROM blocks WHERE id = ?`)
  const selectHeader = db.prepare<{ header: Uint8Array }>('SELECT header FROM blocks WHERE id = ?')
  const selectBody = db.prepare<{ number: number; body: BodyId; records: Uint8Array | null }>(
    'SELECT number, body, records FROM blocks WHERE id = ?',
  )
  const selectByBody = db.prepare<{ id: BlockId }>(
    'SELECT id FROM blocks WHERE body = ? AND records IS NOT NULL LIMIT 1',
  )
  const insert = db.prepare(
    `INSERT INTO blocks (id, parent, height, chainwork, status, header, body, records)
     VALUES (?, ?, ?, ?, 'stored', ?, ?, ?)`,
  )
  const addBody = db.prepare('UPDATE blocks SET records = ? WHERE id = ? AND records IS NULL')
  const setStatus = db.prepare('UPDATE blocks SET status = ?, code = ? WHERE id = ?')
  const children = db.prepare<{ id: BlockId }>('SELECT id FROM blocks WHERE parent = ? ORDER BY id')
  const better = db.prepare<BlockRow>(
    `SELECT ${COLUMNS} FROM blocks WHERE records IS NOT NULL AND status <> 'invalid' AND chainwork >= ?
     ORDER BY chainwork DESC, id LIMIT ?`,
  )
  const tip = db.prepare<{ id: BlockId }>(
    `SELECT id FROM main JOIN blocks ON number = block ORDER BY main.height DESC LIMIT 1`,
  )
  const idAt = db.prepare<{ id: BlockId }>(
    'SELECT id FROM main JOIN blocks ON number = block WHERE main.height = ?',
  )
  const mainHeaders = db.prepare<{ header: Uint8Array }>(
    `SELECT header FROM main JOIN blocks ON number = block
     WHERE main.height >= ? AND main.height < ? ORDER BY main.height`,
  )
  const extend = db.prepare('INSERT INTO main SELECT height, number FROM blocks WHERE id = ?')
  const shorten = db.prepare('DELETE FROM main WHERE height = ?')

  const cache = createCache<BlockId, StoredBlock>(CACHED_BLOCKS)
  const absent = createCache<BlockId, true>(CACHED_ABSENT)
  /** Of blocks that were stored with their bodies just now, and are about to be connected. */
  const bodies = createCache<BlockId, { number: number; numbers: number[] }>(CACHED_BLOCKS)
  let tipId: BlockId | undefined
  db.onRollback(() => {
    cache.clear()
    bodies.clear()
    tipId = undefined
  })

  const read = (row: BlockRow): StoredBlock => {
    const known = cache.get(row.id)
    if (known !== undefined) return known
    const block: StoredBlock = {
      id: row.id,
      header: readStored(db, `block ${row.id}`, () => headerOf(row)),
      height: row.height,
      chainwork: chainworkFromBytes(row.chainwork),
      hasBody: row.has_body === 1,
      status: row.status,
      ...(row.code === null ? {} : { code: row.code }),
    }
    cache.set(row.id, block)
    return block
  }

  /** The bytes stand under their own id: a changed bit does not pass, whatever it decodes to. */
  const headerOf = ({ id, header }: BlockRow): BlockHeader => {
    const sealed = decodeHeader(header)
    assert(sealed.id === id, 'its header is another block’s')
    return sealed.header
  }

  const table: BlockTable = {
    get: (id) => {
      const known = cache.get(id)
      if (known !== undefined) return known
      if (absent.get(id) === true) return undefined
      const row = select.get(id)
      if (row !== undefined) return read(row)
      absent.set(id, true)
      return undefined
    },
    headerBytes: (id) => selectHeader.get(id)?.header,
    numbers: (id) => {
      const known = bodies.get(id)
      if (known !== undefined) return known
      const row = selectBody.get(id)
      if (row === undefined || row.records === null) return undefined
      return { number: row.number, numbers: decodeNumbers(row.records) }
    },
    body: (id) => {
      const row = selectBody.get(id)
      if (row === undefined || row.records === null) return undefined
      const found = records.bytesOf(decodeNumbers(row.records))
      if (found === undefined) throw damaged(db, id)
      const bytes = frame(found)
      // A peer would hold a wrong body against this node.
      if (cidOf(bytes) !== row.body) throw damaged(db, id)
      return bytes
    },
    bodyById: (id) => {
      const block = selectByBody.get(id)?.id
      return block === undefined ? undefined : table.body(block)
    },
    put: ({ id, header, bytes }, chainwork, body) => {
      const list = body === undefined ? null : encodeNumbers(body)
      const known = table.get(id)
      if (known === undefined) {
        absent.delete(id)
        const number = insert.insert(
          id,
          header.parent,
          header.height,
          chainworkToBytes(chainwork),
          bytes,
          header.records,
          list,
        )
        if (body !== undefined) bodies.set(id, { number, numbers: [...body] })
        cache.set(id, {
          id,
          header,
          height: header.height,
          chainwork,
          hasBody: list !== null,
          status: 'stored',
        })
      } else if (!known.hasBody && list !== null) {
        addBody.run(list, id)
        cache.set(id, { ...known, hasBody: true })
      }
    },
    setStatus: (id, status, code) => {
      setStatus.run(status, code ?? null, id)
      const known = cache.get(id)
      if (known === undefined) return
      const { code: _, ...block } = known
      cache.set(id, { ...block, status, ...(code === undefined ? {} : { code }) })
    },
    children: (id) => children.all(id).map((row) => row.id),
    betterThan: (chainwork) => better.all(chainworkToBytes(chainwork), MAX_CANDIDATES).map(read),
    tip: () => {
      tipId ??= tip.get()?.id
      return tipId === undefined ? undefined : table.get(tipId)
    },
    idAt: (height) => idAt.get(height)?.id,
    mainHeaders: (from, count) => mainHeaders.all(from, from + count).map((row) => row.header),
    extend: (block) => {
      extend.run(block.id)
      tipId = block.id
    },
    shorten: (block) => {
      shorten.run(block.height)
      tipId = block.header.parent ?? undefined
    },
  }
  return table
}

function damaged(db: Database, block: BlockId): Error {
  return db.damaged(`the body of block ${block} is not whole`)
}

const NUMBER_BYTES = 4

function encodeNumbers(numbers: readonly number[]): Uint8Array {
  const bytes = Buffer.allocUnsafe(numbers.length * NUMBER_BYTES)
  for (const [index, number] of numbers.entries()) bytes.writeUInt32BE(number, index * NUMBER_BYTES)
  return bytes
}

function decodeNumbers(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: bytes.length / NUMBER_BYTES }, (_, index) =>
    view.getUint32(index * NUMBER_BYTES),
  )
}

/** The body `{records: [...]}` in canonical DAG-CBOR around its encoded records. */
export function frame(records: readonly Uint8Array[]): Uint8Array {
  // 0xa1: map of one entry; 0x67: text of 7 bytes; then an array (major type 4, RFC 8949 section 3.1).
  const head = [0xa1, 0x67, ...Buffer.from('records')]
  const count = records.length
  if (count < 24) head.push(0x80 | count)
  else if (count < 0x100) head.push(0x98, count)
  else head.push(0x99, count >> 8, count & 0xff)
  return concatBytes([Uint8Array.from(head), ...records])
}
