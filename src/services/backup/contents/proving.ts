/** The proof that contents are there: packs read from the destination itself, compared, opened, and files put together. */
import type { CID } from 'multiformats/cid'
import type { ContentId } from '../../../chain/ids.ts'
import { equalBytes, toHex } from '../../../common/bytes.ts'
import { digestIn } from '../../../common/cid-text.ts'
import type { Clock } from '../../../common/clock.ts'
import { digestOf } from '../../../common/dag-cbor.ts'
import { codeOf } from '../../../common/errors.ts'
import { contentError } from '../../../storage/blockstore-errors.ts'
import { forEach, type Problem, problemOf } from '../catalog.ts'
import type { Destination } from '../destination.ts'
import type { BackupKey } from '../keys.ts'
import { contentsError } from './errors.ts'
import { type BlockTarget, createFetching } from './fetching.ts'
import { marksIn, type PackEntry } from './list.ts'
import type { MarkOf } from './marks.ts'
import { packName } from './names.ts'
import { openPack, readPack } from './pack.ts'
import type { Pack } from './shelf.ts'
import type { Stock } from './stock.ts'
import type { Wanted } from './wanted.ts'

/** Days in which each pack is read once by itself. */
const ROUND_DAYS = 30
const DAY_MS = 86_400_000
/** Packs that are read at a time. */
const AT_ONCE = 2
/** Codes that say that a pack is no use any more. */
const BAD: ReadonlySet<string> = new Set(['BACKUP_DAMAGED', 'CONTENTS_DAMAGED', 'OBJECT_NOT_FOUND'])
/** Files that a drill puts together, and packs of one that it holds in memory. */
const DRILL_FILES = 3
const DRILL_PACKS = 2

export interface VerifiedContents {
  /** Packs that are there, and their bytes. */
  readonly packs: number
  readonly bytes: number
  /** Packs that were read. */
  readonly read: number
  readonly problems: readonly Problem[]
}

interface Components {
  readonly destination: Destination
  readonly stock: Stock
  readonly markOf: MarkOf
  readonly clock: Clock
}

/**
 * Reads all packs, or those whose turn it is today: which, their names say, so that each is read once in 30 days.
 *
 * @returns with the SHA-256 (hex) of packs that are no use any more
 */
export async function verifyContents(
  { destination, stock, markOf, clock }: Components,
  { key, all }: { readonly key: BackupKey | undefined; readonly all: boolean },
  signal: AbortSignal,
): Promise<VerifiedContents & { readonly bad: ReadonlySet<string> }> {
  const problems: Problem[] = [...stock.problems]
  const bad = new Set<string>()
  const fail = (hex: string, name: string, error: unknown): void => {
    bad.add(hex)
    problems.push(problemOf(destination, name, error))
  }
  for (const entry of lost(stock)) {
    const name = packName(stock.user, entry)
    const error = contentsError('CONTENTS_DAMAGED', { name, why: 'it is not there' })
    fail(toHex(entry.sha256), name, error)
  }
  const packs = [...stock.shelf.packs.values()]
  const day = Math.floor(clock.now() / DAY_MS) % ROUND_DAYS
  const isDue = ({ entry }: Pack): boolean =>
    all ||
    new DataView(entry.sha256.buffer, entry.sha256.byteOffset).getUint32(0) % ROUND_DAYS === day
  let read = 0
  await forEach(
    packs.filter(isDue),
    async (pack) => {
      const check = async (): Promise<void> => checkPack(destination, pack, { key, markOf }, signal)
      try {
        // Once more: a read that went wrong on the way condemns nothing.
        await check().catch((error: unknown) => {
          if (codeOf(error) !== 'BACKUP_DAMAGED') throw error
          return check()
        })
        read += 1
      } catch (error) {
        signal.throwIfAborted()
        if (BAD.has(codeOf(error))) fail(pack.hex, pack.name, error)
        else problems.push(problemOf(destination, pack.name, error))
      }
    },
    AT_ONCE,
  )
  const bytes = packs.reduce((sum, { entry }) => sum + entry.size, 0)
  return { packs: packs.length, bytes, read, problems, bad }
}

/** Packs that a file needs, and that are not there as they were written. */
function lost({ lists, shelf }: Stock): PackEntry[] {
  const found = new Map<string, PackEntry>()
  const isWhole = (root: Uint8Array): boolean => shelf.packsOf(root) !== undefined
  const needed = new Set<string>()
  for (const { files } of lists.values()) {
    for (const { root, packs } of files) {
      if (!isWhole(root)) for (const hash of packs) needed.add(toHex(hash))
    }
  }
  for (const { packs } of lists.values()) {
    for (const entry of packs) {
      const hex = toHex(entry.sha256)
      if (shelf.packs.has(hex)) continue
      if (needed.has(hex) || [...marksIn(entry.files)].some((root) => !isWhole(root))) {
        found.set(hex, entry)
      }
    }
  }
  return [...found.values()]
}

async function checkPack(
  destination: Destination,
  { name, entry, recipient }: Pack,
  { key, markOf }: { readonly key: BackupKey | undefined; readonly markOf: MarkOf },
  signal: AbortSignal,
): Promise<void> {
  const bytes = await readPack(destination, { name, sha256: entry.sha256 }, signal)
  if (key === undefined || key.recipient !== recipient) return
  const marks = marksIn(entry.blocks)
  let isSame = true
  for await (const { cid } of openPack(bytes, key, { name, squeezed: entry.zstd === 1 })) {
    const next = marks.next()
    isSame &&= next.done !== true && equalBytes(next.value, markOf(digestIn(cid)))
  }
  if (isSame && marks.next().done === true) return
  throw contentsError('CONTENTS_DAMAGED', { name, why: 'it holds other blocks than its list says' })
}

/**
 * Puts some files together from the destination alone, each block compared with its hash.
 *
 * @returns how many, and the bytes that were read
 * @throws CONTENTS_MISSING, the errors of destinations
 */
export async function drillContents(
  { destination, stock, markOf, clock }: Components,
  { key, wanted }: { readonly key: BackupKey; readonly wanted: Pick<Wanted, 'all'> },
  signal: AbortSignal,
): Promise<{ readonly files: number; readonly bytes: number }> {
  const chosen: ContentId[] = []
  let seen = 0
  for await (const page of wanted.all(signal)) {
    for (const root of page) {
      const packs = stock.shelf.packsOf(markOf(digestOf(root)))
      const isSmall = packs !== undefined && packs.length <= DRILL_PACKS
      if (!isSmall || packs.some(({ recipient }) => recipient !== key.recipient)) continue
      seen += 1
      if (chosen.length < DRILL_FILES) chosen.push(root)
      else if (clock.random() < DRILL_FILES / seen) {
        chosen[Math.floor(clock.random() * DRILL_FILES)] = root
      }
    }
  }
  let bytes = 0
  for (const root of chosen) {
    const sources = [{ destination, shelf: stock.shelf }]
    const fetching = createFetching({ sources, target: memoryTarget(), markOf }, { key })
    await fetching.fetch(root, signal)
    bytes += fetching.read
  }
  return { files: chosen.length, bytes }
}

/** Blocks in memory, for as long as one file is put together. */
function memoryTarget(): BlockTarget {
  const blocks = new Map<string, Uint8Array>()
  const nameOf = ({ multihash }: CID): string => toHex(multihash.digest)
  return {
    bytes: async (cid) => {
      const bytes = blocks.get(nameOf(cid))
      if (bytes === undefined) throw contentError('CONTENT_MISSING', { cid: cid.toString() })
      return bytes
    },
    has: async (cid) => blocks.has(nameOf(cid)),
    putVerified: async (cid, bytes) => void blocks.set(nameOf(cid), bytes),
  }
}
