/**
 * A tree of blocks with made-up effects, and what a store must show at each of its tips: the reference that the
 * chain store is compared with. Storage checks no signature and no rule, so neither is made here.
 */
import assert from 'node:assert/strict'
import type { Block } from '../../../src/chain/block.ts'
import { encodeBody, encodeHeader, signRecord } from '../../../src/chain/codec.ts'
import {
  type ContentId,
  type DeviceId,
  deviceIdOf,
  type FileId,
  type NetworkId,
  type RecordId,
  type UserId,
  type VersionId,
} from '../../../src/chain/ids.ts'
import type { BlockEffect } from '../../../src/chain/outcome.ts'
import type { Replaces, SignedRecord, Statement } from '../../../src/chain/record.ts'
import { newFileState, newVersionState } from '../../../src/chain/state/files.ts'
import type { RecordOutcome } from '../../../src/chain/state/result.ts'
import { MARK } from '../../../src/chain/state/value.ts'
import type { Change } from '../../../src/chain/view.ts'
import { utf8 } from '../../../src/common/bytes.ts'
import { sha256 } from '../../../src/common/crypto.ts'
import {
  type CborValue,
  cidOf,
  cidText,
  decode,
  encode,
  linkTo,
  RAW,
} from '../../../src/common/dag-cbor.ts'
import type { ChainStore } from '../../../src/storage/chain-store.ts'

export const NETWORK: NetworkId = cidOf(utf8('network')) as NetworkId
const BLOCK_INTERVAL_MS = 2000

export const device = (n: number): DeviceId => deviceIdOf(new Uint8Array(32).fill(n))
const key = new Uint8Array(32).fill(9)
const noSignature = new Uint8Array(64)

/** One device's hash chain, as it is written. */
export interface Writer {
  readonly device: DeviceId
  user: UserId | null
  last: SignedRecord | undefined
}

export function writer(n: number): Writer {
  return { device: device(n), user: null, last: undefined }
}

/** The next record of a writer. */
export function write(
  by: Writer,
  statement: Statement,
  options: { replaces?: Replaces; after?: SignedRecord } = {},
): SignedRecord {
  const previous = options.after ?? by.last
  const record = signRecord(
    {
      ...statement,
      network: NETWORK,
      user: statement.type === 'user.create' ? null : by.user,
      device: by.device,
      sequence: previous === undefined ? 0 : previous.sequence + 1,
      previous: previous?.id ?? null,
      seen: cidOf(utf8('seen')),
      time: 1_700_000_000_000 + (previous?.sequence ?? 0),
      ...(options.replaces === undefined ? {} : { replaces: options.replaces }),
    } as Parameters<typeof signRecord>[0],
    () => noSignature,
  )
  by.last = record
  if (statement.type === 'user.create') by.user = record.identity
  return record
}

export const userCreate = (name: string): Statement => ({
  type: 'user.create',
  body: {
    name,
    deviceName: `${name}'s laptop`,
    encryptionKey: key,
    userKey: key,
    recoveryKey: key,
    restoreKey: key,
    proof: { type: 'open' },
  },
})

export const deviceAdd = (name: string, user: UserId): Statement => ({
  type: 'device.add',
  user,
  body: {
    name,
    encryptionKey: key,
    proof: { type: 'device', device: key, signature: noSignature },
  },
})

export const contentOf = (name: string, folder: string[] = []) => ({
  root: cidText(RAW, sha256(utf8(name))) as ContentId,
  storedSize: 10,
  visibility: 'public' as const,
  name,
  folder,
  mediaType: 'text/plain',
  size: 10,
  sha256: sha256(utf8(name)),
})

export const fileAdd = (name: string, folder: string[] = []): Statement => ({
  type: 'file.add',
  body: contentOf(name, folder),
})

export const fileUpdate = (file: FileId, parents: VersionId[], name: string): Statement => ({
  type: 'file.update',
  body: { ...contentOf(name), file, parents },
})

export const fileRemove = (file: FileId, parents: VersionId[]): Statement => ({
  type: 'file.remove',
  body: { file, parents },
})

export const vote = (version: VersionId, comment = ''): Statement => ({
  type: 'vote',
  body: { version, verdict: 'authentic', comment },
})

export const access = (version: VersionId): Statement => ({ type: 'access', body: { version } })

/** The envelope that a record which replaces `record` carries. */
export function envelopeOf(record: SignedRecord, deviceKey: Uint8Array): Replaces {
  const { sequence, previous, seen, time, signature } = record
  return { device: deviceKey, sequence, previous, seen, time, signature }
}

/** A block of the tree with all that is known after it. */
export interface Node {
  readonly block: Block
  readonly parent: Node | undefined
  readonly effect: BlockEffect
  readonly chainwork: bigint
  readonly state: ReadonlyMap<string, Uint8Array>
  readonly outcomes: ReadonlyMap<RecordId, RecordOutcome>
}

/** A block on `parent` with these records, outcomes and state values. */
export function blockOn(
  parent: Node | undefined,
  records: readonly SignedRecord[],
  values: Readonly<Record<string, Uint8Array | undefined>> = {},
  outcomes: readonly Partial<RecordOutcome>[] = [],
  late: readonly RecordOutcome[] = [],
  difficulty = 1,
): Node {
  const body = encodeBody(records)
  const height = parent === undefined ? 0 : parent.block.header.height + 1
  const sealed = encodeHeader({
    version: 1,
    network: NETWORK,
    parent: parent?.block.id ?? null,
    height,
    time: 1_700_000_000_000 + height * BLOCK_INTERVAL_MS,
    difficulty,
    records: body.id,
    outcome: sha256(utf8(JSON.stringify([values, outcomes, late]))),
    miner: key,
    seal: noSignature,
    nonce: new Uint8Array(8),
  })
  const own = records.map((record, index): RecordOutcome => {
    return { outcome: 'applied', ...outcomes[index], record: record.id }
  })
  const state = new Map(parent?.state)
  const after: Record<string, Uint8Array | undefined> = { ...values }
  for (const [index, { record, outcome, code }] of own.entries()) {
    const name = `record/${record}`
    const by = carrierIn(after[name] ?? state.get(name))
    after[name] = encode([outcome, code ?? null, height, index, by])
  }
  for (const { record: id, outcome } of [...own, ...late]) {
    const record = recordOf(id, records, parent)
    if (outcome !== 'applied') continue
    // As the rules write them: under the id of the first, where a record stands for another one.
    if (record.type === 'file.add')
      after[`file/${record.identity}`] ??= newFileState(asFirst(record))
    if (record.type === 'file.add' || record.type === 'file.update') {
      after[`version/${record.identity}`] ??= newVersionState(asFirst(record))
    }
    if (record.identity !== id) after[`record/${record.identity}`] ??= replacedBy(id)
  }
  for (const { record, outcome, code } of late) {
    const name = `record/${record}`
    const [, , at, index] = decode(after[name] ?? state.get(name) ?? MARK, 500) as CborValue[]
    after[name] = encode([outcome, code ?? null, at ?? 0, index ?? 0, null])
  }
  const changes: Change[] = []
  for (const name of Object.keys(after).sort()) {
    const value = after[name]
    changes.push({ key: name, before: state.get(name), after: value })
    if (value === undefined) state.delete(name)
    else state.set(name, value)
  }
  const all = new Map(parent?.outcomes)
  for (const outcome of [...own, ...late]) all.set(outcome.record, outcome)
  return {
    block: { ...sealed, body },
    parent,
    effect: { changes, outcomes: own, late, digest: sealed.header.outcome },
    chainwork: (parent?.chainwork ?? 0n) + BigInt(difficulty),
    state,
    outcomes: all,
  }
}

function recordOf(
  id: RecordId,
  records: readonly SignedRecord[],
  parent: Node | undefined,
): SignedRecord {
  const found = records.find((record) => record.id === id)
  if (found !== undefined) return found
  assert.ok(parent !== undefined, 'each record is in a block')
  return recordOf(id, parent.block.body.records, parent.parent)
}

function asFirst<T extends SignedRecord>(record: T): T {
  return { ...record, id: record.identity }
}

/** The state of a record that is not in the chain, but another one for it. */
export function replacedBy(by: RecordId): Uint8Array {
  return encode([null, null, 1, 0, linkTo(by)])
}

function carrierIn(state: Uint8Array | undefined): CborValue {
  return state === undefined ? null : ((decode(state, 500) as CborValue[])[4] ?? null)
}

export function pathTo(node: Node): Node[] {
  const path: Node[] = []
  for (let next: Node | undefined = node; next !== undefined; next = next.parent) path.unshift(next)
  return path
}

/** Stores and connects the whole branch of `node`, or switches to it. */
export function switchTo(store: ChainStore, node: Node): void {
  const path = pathTo(node)
  const onPath = new Map(path.map((step) => [step.block.id, step]))
  const first = path[0]
  assert.ok(first !== undefined)
  store.transaction(() => {
    store.begin(first.block, first.effect, first.chainwork)
    while (!onPath.has(store.tip().id)) store.disconnect(store.tip())
    for (const step of path.slice(store.tip().height + 1)) {
      store.connect(store.putBlock(step.block, step.chainwork, step.block.body), step.effect)
    }
  })
}
