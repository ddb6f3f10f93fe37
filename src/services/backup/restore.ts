/**
 * Brings blocks and records back from backups, through the same checks as those of a peer.
 *
 * The chain itself takes the branch with most work, whatever order it comes in; the records of all backups become
 * pending. Of each device at each destination the newest backup is taken, and where it is damaged the one before.
 */
import { decodeHeader } from '../../chain/codec.ts'
import type { BlockId, DeviceId } from '../../chain/ids.ts'
import { readDevice } from '../../chain/state/devices.ts'
import type { Clock } from '../../common/clock.ts'
import { CairnError } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import type { SyncChain } from '../../network/sync/chain.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import {
  type CatalogEntry,
  type Problem,
  problemOf,
  readObject,
  readSegmentList,
} from './catalog.ts'
import { clockBehind } from './clock-behind.ts'
import type { BroughtContents } from './contents/bringing.ts'
import type { Destination } from './destination.ts'
import { backupError } from './errors.ts'
import { codesOf, linesOf } from './find.ts'
import type { BackupKey } from './keys.ts'
import { type Manifest, type SegmentEntry, segmentName } from './manifest.ts'
import { openSegment, type SegmentContent } from './segment.ts'

/** Blocks or records that are handed over at a time, and windows of blocks under way. */
const BATCH = 256
const WINDOWS = 24
/** Headers that are handed over at a time: one core checks them in a tenth of a second. */
const HEADERS = 1024
/** Segments that are fetched and opened while others are taken in: 2 MiB each. */
const AHEAD = 3

/**
 * Milliseconds without a block after which another destination has its turn: one that says that it has the most, and
 * gives each piece as slowly as it may, holds nothing up for long.
 */
const STALLED_MS = 120_000

/** The chain that is filled. */
export interface RestoreTarget {
  readonly chain: Pick<SyncChain, 'planHeaders' | 'acceptBodies' | 'acceptRecords'>
  readonly store: Pick<ChainStore, 'tip' | 'block' | 'onMain' | 'state'>
  /** As whose gift the bytes are checked. */
  readonly device: DeviceId
}

export interface Restored {
  readonly tip: BlockId
  readonly height: number
  /** What was taken in, the backup that was chosen first. */
  readonly sources: readonly { readonly destination: string; readonly object: string }[]
  /** Records that were not here before. */
  readonly records: number
  readonly problems: readonly Problem[]
  /** Of contents of files, what came with it; undefined: they come later, or there are none. */
  readonly contents?: BroughtContents
}

/**
 * Nothing goes back behind what is here without being told to.
 *
 * @throws BACKUP_BEHIND
 */
export function checkNotBehind(
  backups: readonly CatalogEntry[],
  here: { readonly height: number; readonly chainwork: bigint },
): void {
  const [best] = linesOf(backups)[0] ?? []
  if (best === undefined || best.manifest.work >= here.chainwork) return
  const { object, height } = best.manifest
  throw backupError('BACKUP_BEHIND', { name: object, height, here: here.height })
}

export interface RestoreComponents {
  readonly target: RestoreTarget
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
}

/**
 * Takes these backups in.
 *
 * @throws BACKUP_UNREADABLE: none of them could be read to its end; BACKUP_CLOCK: one leads into the future of this
 *   clock, and an older one in its place would go back behind it. What could be read is in the target
 */
export async function restoreBackups(
  components: RestoreComponents,
  init: { readonly backups: readonly CatalogEntry[]; readonly key: BackupKey },
  signal: AbortSignal,
): Promise<Restored> {
  const { target } = components
  const logger = components.logger.child('backup')
  const problems: Problem[] = []
  const sources: { destination: string; object: string }[] = []
  let records = 0
  let ahead: CairnError | undefined
  const lines = [...linesOf(init.backups)]
  const slow = new Set<Destination>()
  for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
    const isSlow = line.some(({ destination }) => slow.has(destination))
    const hasOthers = lines.some((other) =>
      other.some((one) => one.destination !== line[0]?.destination && !slow.has(one.destination)),
    )
    if (isSlow && hasOthers) lines.push(line)
    // What it holds is taken in later, where there is something to go on with: late.ts.
    if (isSlow && (hasOthers || sources.length > 0)) continue
    const isHurried = hasOthers || sources.length > 0
    for (const entry of line) {
      const { destination, manifest } = entry
      try {
        records += await takeBackup(components, entry, { key: init.key, isHurried }, signal)
        sources.push({ destination: destination.name, object: manifest.object })
        break
      } catch (error) {
        signal.throwIfAborted()
        const isAhead = error instanceof CairnError && error.code === 'BACKUP_CLOCK'
        if (isAhead) ahead ??= error
        const problem = problemOf(destination, manifest.object, error)
        problems.push(problem)
        logger.warn('A backup could not be restored; another one is tried', {
          destination: problem.destination,
          backup: problem.object,
          code: problem.code,
          why: problem.message,
        })
        const isStalled = isHurried && problem.code === 'DESTINATION_SLOW'
        if (isStalled) slow.add(destination)
        // An older one would go back behind it, or be as slow.
        if (isAhead || isStalled) break
      }
    }
  }
  // A block of the future that no device has sealed says nothing of the clock.
  if (ahead !== undefined && (sources.length === 0 || isByDevice(target, ahead))) throw ahead
  if (sources.length === 0) throw backupError('BACKUP_UNREADABLE', { problems: codesOf(problems) })
  const { id: tip, height } = target.store.tip()
  return { tip, height, sources, records, problems }
}

function isByDevice({ store }: RestoreTarget, { details }: CairnError): boolean {
  const { miner } = details
  return typeof miner === 'string' && readDevice(store.state, miner as DeviceId) !== undefined
}

async function takeBackup(
  { target, clock }: RestoreComponents,
  { destination, manifest }: CatalogEntry,
  { key, isHurried }: { readonly key: BackupKey; readonly isHurried: boolean },
  signal: AbortSignal,
): Promise<number> {
  const list = await readSegmentList(destination, manifest, signal)
  const wanted = list.filter(
    ({ tip, records }) => records > 0 || target.store.block(tip)?.hasBody !== true,
  )
  const open = async (entry: SegmentEntry): Promise<SegmentContent> => {
    const name = segmentName(manifest, entry)
    const bytes = await readObject(destination, { ...entry, name }, signal)
    return openSegment(bytes, key, name)
  }
  const ahead: Promise<SegmentContent>[] = []
  const fill = (from: number): void => {
    for (const entry of wanted.slice(from, from + AHEAD - ahead.length)) {
      const opened = open(entry)
      opened.catch(() => {})
      ahead.push(opened)
    }
  }
  let started = 0
  let reached = target.store.tip().chainwork
  let since = clock.now()
  const next = async (): Promise<SegmentContent | undefined> => {
    const { chainwork } = target.store.tip()
    if (chainwork !== reached) since = clock.now()
    reached = chainwork
    if (isHurried && clock.now() - since > STALLED_MS) {
      const details = { destination: destination.name, seconds: STALLED_MS / 1000 }
      throw backupError('DESTINATION_SLOW', details)
    }
    const before = ahead.length
    fill(started)
    started += ahead.length - before
    const content = await ahead.shift()
    signal.throwIfAborted()
    return content
  }
  const taken = await takeSegments({ target, clock }, next, manifest)
  const end = target.store.block(manifest.tip)
  if (end === undefined || end.status === 'invalid' || end.chainwork !== manifest.work) {
    const { height } = target.store.tip()
    const details = { name: manifest.object, height: manifest.height, found: height }
    throw backupError('BACKUP_INCOMPLETE', details)
  }
  return taken
}

/** Takes segments in, one after the other; the headers of each are looked at before the bodies of the one before. */
async function takeSegments(
  { target: { chain, device }, clock }: Pick<RestoreComponents, 'target' | 'clock'>,
  next: () => Promise<SegmentContent | undefined>,
  manifest: Manifest,
): Promise<number> {
  const importing: Promise<void>[] = []
  let window: { id: BlockId; body: Uint8Array }[] = []
  let taken = 0

  const plan = async ({ blocks }: SegmentContent): Promise<void> => {
    for (let at = 0; at < blocks.length; at += HEADERS) {
      const headers = blocks.slice(at, at + HEADERS).map(({ header }) => header)
      const { ahead } = await chain.planHeaders(headers, device)
      if (ahead) throw clockBehind(manifest, blocks, clock.now())
    }
  }
  const handOver = async (): Promise<void> => {
    if (window.length === 0) return
    if (importing.length >= WINDOWS) await importing.shift()
    const accepted = chain.acceptBodies(window, device)
    window = []
    accepted.catch(() => {})
    importing.push(accepted)
  }
  const take = async ({ blocks, records }: SegmentContent): Promise<void> => {
    for (const { header, body } of blocks) {
      window.push({ id: decodeHeader(header).id, body })
      if (window.length >= BATCH) await handOver()
    }
    if (records.length > 0) {
      // They may stand on the blocks.
      await handOver()
      await Promise.all(importing)
    }
    for (let at = 0; at < records.length; at += BATCH) {
      const { accepted } = await chain.acceptRecords(records.slice(at, at + BATCH), device)
      taken += accepted
    }
  }

  let before: SegmentContent | undefined
  let failure: unknown
  try {
    for (;;) {
      const content = await next().catch((error: unknown) => {
        failure = error
        return undefined
      })
      // Its records wait for its blocks, which wait for others as long as any are announced.
      if (before !== undefined && before.records.length > 0) {
        await take(before)
        before = undefined
      }
      const planned = content === undefined ? undefined : plan(content)
      planned?.catch(() => {})
      if (before !== undefined) await take(before)
      await planned
      if (content === undefined) break
      before = content
    }
  } finally {
    // Also after a failure: what came before it is taken, and comes to its end before another backup is tried.
    await handOver().catch(() => {})
    await Promise.allSettled(importing)
  }
  await Promise.all(importing)
  if (failure !== undefined) throw failure
  return taken
}
