/**
 * What people and tools ask about the chain, its records and its members. Reads only.
 *
 * owns: summaries in JSON-stable words (times in milliseconds UTC, ids as text, work as decimal text)
 * does not own: files and votes (services/files, services/voting)
 */
import type { CID } from 'multiformats/cid'
import { TARGET_INTERVAL_MS } from '../../chain/difficulty.ts'
import { type BlockId, deviceIdOf, type RecordId } from '../../chain/ids.ts'
import type { NetworkParams } from '../../chain/params.ts'
import { readRules } from '../../chain/state/rules.ts'
import { toHex } from '../../common/bytes.ts'
import type { Clock } from '../../common/clock.ts'
import { link } from '../../common/dag-cbor.ts'
import type { Events } from '../../common/events.ts'
import type { StoredBlock, StoredRecord } from '../../storage/chain-store.ts'
import { serviceError } from '../errors.ts'
import type { NodeEvents } from '../events.ts'
import type { Page } from '../page.ts'
import { createMembers, type Members, type MembersComponents } from './members.ts'
import { createRecordCounts } from './record-counts.ts'
import { recordStateOf } from './record-state.ts'
import type {
  BlockDetail,
  BlockSummary,
  ChainSummary,
  RecordDetail,
  RecordSummary,
} from './types.ts'

export interface Explorer {
  readonly chain: {
    /** Its counts of records are of now after `counted`, and of a moment ago without. */
    summary(): ChainSummary
    counted(): Promise<void>
    /** Newest first, from `below` (exclusive height) down. */
    blocks(query: { readonly limit: number; readonly below?: number }): Page<BlockSummary>
    /** By id, an unambiguous beginning of one, or a height in decimal. @throws BLOCK_NOT_FOUND */
    block(text: string): BlockDetail
    /** Headers and bodies of the best chain from genesis up. */
    export(signal: AbortSignal): AsyncIterable<{ readonly cid: CID; readonly bytes: Uint8Array }>
  }
  readonly records: {
    /** Newest first. @throws CURSOR_UNKNOWN */
    list(query: {
      readonly pending?: boolean
      readonly limit: number
      readonly after?: string
    }): Page<RecordSummary>
    /** By id or an unambiguous beginning of one. @throws RECORD_NOT_FOUND */
    get(text: string): RecordDetail
  }
  readonly members: Members
}

export interface ExplorerComponents extends MembersComponents {
  readonly events: Events<NodeEvents>
  readonly clock: Pick<Clock, 'after'>
}

/** Rows that one answer has at the most, and that a page is cut from. */
const MAX_ROWS = 10_000

export function createExplorer(
  components: ExplorerComponents,
  init: { readonly network: string; readonly params: NetworkParams },
): Explorer {
  const { store, directory } = components

  const recordSummary = (stored: StoredRecord): RecordSummary => {
    const { record } = stored
    const user = record.user ?? (record.type === 'user.create' ? record.identity : null)
    return {
      record: record.id,
      type: record.type,
      user: user === null ? null : directory.user(user),
      device: directory.device(record.device),
      sequence: record.sequence,
      time: record.time,
      size: record.bytes.length,
      own: stored.own,
      state: recordStateOf(store.state, stored),
    }
  }

  const blockSummary = (block: StoredBlock): BlockSummary => {
    const header = store.headerBytes(block.id)
    const body = store.body(block.id)
    return {
      block: block.id,
      height: block.height,
      time: block.header.time,
      parent: block.header.parent,
      miner: block.height === 0 ? null : directory.device(deviceIdOf(block.header.miner)),
      difficulty: block.header.difficulty,
      chainwork: block.chainwork.toString(),
      records: store.bodyRecords(block.id)?.length ?? 0,
      size: (header?.length ?? 0) + (body?.length ?? 0),
      main: store.onMain(block),
    }
  }

  const findBlock = (text: string): StoredBlock | undefined => {
    if (/^\d{1,15}$/.test(text)) {
      const id = store.idAt(Number(text))
      return id === undefined ? undefined : store.block(id)
    }
    const ids = store.projections.idsBeginningWith(text).filter(({ kind }) => kind === 'block')
    return ids.length === 1 && ids[0] !== undefined ? store.block(ids[0].id as BlockId) : undefined
  }

  const findRecord = (text: string): StoredRecord | undefined => {
    const exact = store.record(text as RecordId)
    if (exact !== undefined) return exact
    const ids = store.projections
      .idsBeginningWith(text)
      .filter(({ kind }) => kind !== 'block' && kind !== 'root' && kind !== 'device')
    return ids.length === 1 && ids[0] !== undefined
      ? store.record(ids[0].id as RecordId)
      : undefined
  }

  const counts = createRecordCounts(components, init)

  return {
    chain: {
      counted: counts.ready,
      summary: () => {
        const tip = store.tip()
        const { records, waiting, stranded } = counts.get()
        return {
          network: init.network,
          height: tip.height,
          tip: tip.id,
          tipTime: tip.header.time,
          chainwork: tip.chainwork.toString(),
          difficulty: tip.header.difficulty,
          difficultyFloor: init.params.difficultyFloor,
          targetIntervalMs: TARGET_INTERVAL_MS,
          admission: init.params.admission,
          founded: init.params.time,
          ruleVersion: readRules(store.state, tip.height).current,
          records,
          pending: waiting,
          stranded,
        }
      },
      blocks: ({ limit, below }) => {
        const top = Math.min(below ?? Number.MAX_SAFE_INTEGER, store.tip().height + 1) - 1
        const items: BlockSummary[] = []
        for (
          let height = top;
          height >= 0 && items.length < Math.min(limit, MAX_ROWS);
          height -= 1
        ) {
          const id = store.idAt(height)
          const block = id === undefined ? undefined : store.block(id)
          if (block !== undefined) items.push(blockSummary(block))
        }
        const last = items.at(-1)
        return { items, next: last === undefined || last.height === 0 ? null : String(last.height) }
      },
      block: (text) => {
        const block = findBlock(text)
        if (block === undefined) throw serviceError('BLOCK_NOT_FOUND', { block: text.slice(0, 80) })
        const records = store.bodyRecords(block.id) ?? []
        return {
          ...blockSummary(block),
          body: block.header.records,
          outcome: toHex(block.header.outcome),
          nonce: toHex(block.header.nonce),
          recordList: records.flatMap(({ id }) => {
            const stored = store.record(id)
            return stored === undefined ? [] : [recordSummary(stored)]
          }),
        }
      },
      export: async function* (signal) {
        const { height } = store.tip()
        for (let at = 0; at <= height; at += 1) {
          signal.throwIfAborted()
          const id = store.idAt(at)
          const block = id === undefined ? undefined : store.block(id)
          const header = id === undefined ? undefined : store.headerBytes(id)
          const body = id === undefined ? undefined : store.body(id)
          if (block === undefined || header === undefined || body === undefined) continue
          yield { cid: link(block.id), bytes: header }
          yield { cid: link(block.header.records), bytes: body }
        }
      },
    },
    records: {
      list: ({ pending = false, limit, after }) => {
        const rows = store.projections.recentRecords({ pending, limit: MAX_ROWS })
        const place = rows.findIndex(({ record }) => record.id === after)
        if (after !== undefined && place === -1)
          throw serviceError('CURSOR_UNKNOWN', { after: after.slice(0, 80) })
        const start = place + 1
        const items = rows.slice(start, start + limit).map(recordSummary)
        const more = start + limit < rows.length
        return { items, next: more ? (items.at(-1)?.record ?? null) : null }
      },
      get: (text) => {
        const stored = findRecord(text)
        if (stored === undefined)
          throw serviceError('RECORD_NOT_FOUND', { record: text.slice(0, 80) })
        const { record } = stored
        return {
          ...recordSummary(stored),
          previous: record.previous,
          seen: record.seen,
          replaces: record.replaces === undefined ? null : record.identity,
          body: plain(record.body) as Readonly<Record<string, unknown>>,
        }
      },
    },
    members: createMembers(components, init),
  }
}

/** Bytes as hexadecimal, everything else as it stands. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value)
  if (Array.isArray(value)) return value.map(plain)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]))
}
