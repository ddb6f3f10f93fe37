/** A small chain in memory for tests of the network: real headers, trivial work, records that are plain bytes. */
import { type BlockHeader, headerShape } from '../../../src/chain/block.ts'
import {
  type BlockId,
  type BodyId,
  type DeviceId,
  deviceIdOf,
  type NetworkId,
  type RecordId,
} from '../../../src/chain/ids.ts'
import { cidOf, decode, encode } from '../../../src/common/dag-cbor.ts'
import { CairnError } from '../../../src/common/errors.ts'
import type { DeviceHead, SyncChain } from '../../../src/network/sync/chain.ts'

const FAKE_DIFFICULTY = 2
const params = new TextEncoder().encode('a network for tests')
export const NETWORK: NetworkId = cidOf(params) as NetworkId

interface FakeBlock {
  id: BlockId
  header: BlockHeader
  bytes: Uint8Array
  chainwork: bigint
  body: Uint8Array | undefined
}

interface FakeRecord {
  id: RecordId
  device: DeviceId
  sequence: number
  previous: RecordId | null
  bytes: Uint8Array
}

export interface FakeChain extends SyncChain {
  readonly blocks: Map<BlockId, FakeBlock>
  /** Mines on the best chain. */
  mine(text: string): FakeBlock
  /** A block on `parent`, not added; one whose hash shows its work, or (`works` false) does not. */
  seal(
    parent: FakeBlock,
    body: Uint8Array,
    change?: Partial<BlockHeader>,
    works?: boolean,
  ): FakeBlock
  addBlock(block: FakeBlock): void
  tip(): FakeBlock
  /** Writes `count` records of a device. */
  write(device: number, count: number, text?: string): void
  readonly records: Map<RecordId, FakeRecord>
  params: Uint8Array
}

const reject = (code: string): CairnError => new CairnError(code, code, { verdict: 'reject' })
const ZERO = new Uint8Array(32)

export function fakeDevice(number: number): DeviceId {
  return deviceIdOf(new Uint8Array(32).fill(number))
}

export function createFakeChain(now: () => number = () => 0): FakeChain {
  const blocks = new Map<BlockId, FakeBlock>()
  const records = new Map<RecordId, FakeRecord>()

  const seal: FakeChain['seal'] = (parent, body, change = {}, works = true) => {
    for (let nonce = 0; ; nonce += 1) {
      const header: BlockHeader = {
        version: 1,
        network: NETWORK,
        parent: parent.id,
        height: parent.header.height + 1,
        time: parent.header.time + 2000,
        difficulty: FAKE_DIFFICULTY,
        records: cidOf(body) as BodyId,
        outcome: ZERO,
        miner: ZERO,
        seal: new Uint8Array(64),
        nonce: Uint8Array.of(0, 0, 0, 0, 0, 0, nonce >> 8, nonce & 255),
        ...change,
      }
      const bytes = encode(headerShape.write(header) ?? null)
      if (meetsWork(bytes) === works) {
        const chainwork = parent.chainwork + BigInt(header.difficulty)
        return { id: cidOf(bytes) as BlockId, header, bytes, chainwork, body }
      }
    }
  }
  const emptyBody = encode({ records: [] })
  const genesisHeader: BlockHeader = {
    version: 1,
    network: NETWORK,
    parent: null,
    height: 0,
    time: 0,
    difficulty: 1,
    records: cidOf(emptyBody) as BodyId,
    outcome: ZERO,
    miner: ZERO,
    seal: new Uint8Array(64),
    nonce: new Uint8Array(8),
  }
  const genesisBytes = encode(headerShape.write(genesisHeader) ?? null)
  let tip: FakeBlock = {
    id: cidOf(genesisBytes) as BlockId,
    header: genesisHeader,
    bytes: genesisBytes,
    chainwork: 1n,
    body: emptyBody,
  }
  blocks.set(tip.id, tip)

  const main = (): FakeBlock[] => {
    const path: FakeBlock[] = []
    let at: FakeBlock | undefined = tip
    while (at !== undefined) {
      path.push(at)
      at = at.header.parent === null ? undefined : blocks.get(at.header.parent)
    }
    return path.reverse()
  }
  const better = (block: FakeBlock): boolean =>
    block.chainwork > tip.chainwork || (block.chainwork === tip.chainwork && block.id < tip.id)
  const complete = (block: FakeBlock): boolean => {
    for (let at: FakeBlock | undefined = block; at !== undefined; ) {
      if (at.body === undefined) return false
      at = at.header.parent === null ? undefined : blocks.get(at.header.parent)
      if (at === tip) return true
    }
    return true
  }
  const chain: FakeChain = {
    blocks,
    records,
    params,
    seal,
    tip: () => tip,
    addBlock: (block) => {
      blocks.set(block.id, block)
      if (complete(block) && better(block)) tip = block
    },
    mine: (text) => {
      const block = seal(tip, encode({ records: [text] }))
      chain.addBlock(block)
      return block
    },
    write: (number, count, text = '') => {
      const device = fakeDevice(number)
      const own = [...records.values()].filter((record) => record.device === device)
      let previous = own.at(-1)
      for (let index = 0; index < count; index += 1) {
        const sequence = previous === undefined ? 0 : previous.sequence + 1
        const bytes = encode({ number, sequence, previous: previous?.id ?? null, text })
        const id = cidOf(bytes) as RecordId
        previous = { id, device, sequence, previous: previous?.id ?? null, bytes }
        records.set(id, previous)
      }
    },
    status: () => ({
      params: chain.params,
      tip: tip.id,
      height: tip.header.height,
      chainwork: tip.chainwork,
      time: now(),
    }),
    locator: () => backwards(main().map((block) => block.id)),
    headersAfter: (locator, limit) => {
      const path = main()
      const fork = path.findLastIndex((block) => locator.includes(block.id))
      return path.slice(fork + 1, fork + 1 + limit).map((block) => block.bytes)
    },
    *bodies(ids) {
      for (const id of ids) yield blocks.get(id)?.body
    },
    heads: () => {
      const previous = new Set([...records.values()].map((record) => record.previous))
      const heads: DeviceHead[] = []
      for (const record of records.values()) if (!previous.has(record.id)) heads.push(record)
      return heads.map(({ device, sequence, id }) => ({ device, sequence, id }))
    },
    hasRecord: (id) => records.has(id),
    recordsBack: (head, have, limit) => {
      const found: Uint8Array[] = []
      for (let at = records.get(head); at !== undefined && !have.includes(at.id); ) {
        found.push(at.bytes)
        at = at.previous === null ? undefined : records.get(at.previous)
      }
      return found.reverse().slice(0, limit)
    },
    recordLocator: (device) => {
      const own = [...records.values()].filter((record) => record.device === device)
      return backwards(own.sort((a, b) => a.sequence - b.sequence).map((record) => record.id))
    },
    planHeaders: async (headers) => {
      const wanted: BlockId[] = []
      let last = tip
      for (const bytes of headers) {
        const header = headerShape.read(decode(bytes, 1024), 'header')
        const id = cidOf(bytes) as BlockId
        const parent = header.parent === null ? undefined : blocks.get(header.parent)
        if (parent === undefined) throw reject('FAKE_PARENT')
        if (!meetsWork(bytes)) throw reject('FAKE_WORK')
        if (header.difficulty !== FAKE_DIFFICULTY) throw reject('FAKE_DIFFICULTY')
        const known = blocks.get(id)
        const chainwork = parent.chainwork + BigInt(header.difficulty)
        last = known ?? { id, header, bytes, chainwork, body: undefined }
        blocks.set(id, last)
        if (last.body === undefined) wanted.push(id)
      }
      return { wanted, more: better(last), chainwork: last.chainwork, ahead: false }
    },
    acceptBodies: async (items) => {
      for (const { id, body } of items) {
        const block = blocks.get(id)
        if (block === undefined || cidOf(body) !== block.header.records) throw reject('FAKE_BODY')
        block.body = body
        chain.addBlock(block)
      }
    },
    acceptRecords: async (items) => {
      let accepted = 0
      for (const bytes of items) {
        const { record, device } = readRecord(bytes)
        if (record.previous !== null && !records.has(record.previous)) throw reject('FAKE_GAP')
        if (!records.has(record.id)) accepted += 1
        records.set(record.id, { ...record, device })
      }
      return { accepted }
    },
  }
  return chain
}

function readRecord(bytes: Uint8Array): { record: FakeRecord; device: DeviceId } {
  const value = decode(bytes, 16_384)
  if (value === null || typeof value !== 'object' || !('number' in value)) throw reject('FAKE_FORM')
  const device = fakeDevice(Number(value.number))
  const previous = 'previous' in value ? (value.previous as RecordId | null) : null
  const sequence = 'sequence' in value ? Number(value.sequence) : 0
  return { record: { id: cidOf(bytes) as RecordId, device, sequence, previous, bytes }, device }
}

function meetsWork(bytes: Uint8Array): boolean {
  return cidOf(bytes).charCodeAt(20) % 2 === 0
}

/** Newest first, then exponentially back, the first one last. */
function backwards<T>(ascending: readonly T[]): T[] {
  const found: T[] = []
  let step = 1
  for (let at = ascending.length - 1; at > 0; at -= step) {
    found.push(ascending[at] as T)
    if (found.length > 10) step *= 2
  }
  if (ascending.length > 0) found.push(ascending[0] as T)
  return found
}
