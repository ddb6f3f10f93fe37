/**
 * Writes this device's backups to one destination: the new segments, then the manifest that names them with those
 * that are there. What was put and is in no manifest yet is nobody's: an interrupted save leaves the backup before
 * it as it was.
 */
import { deviceKeyOf, type UserId } from '../../chain/ids.ts'
import { toHex } from '../../common/bytes.ts'
import type { Clock } from '../../common/clock.ts'
import { sha256 } from '../../common/crypto.ts'
import { assert } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { Signer } from '../chain/own-records.ts'
import type { Destination } from './destination.ts'
import { backupError } from './errors.ts'
import { createFreshRecords } from './fresh-records.ts'
import { type Kept, type PendingRecord, partsOf, planSave, sealedCount } from './lineage.ts'
import {
  encodeIndex,
  folderOf,
  MANIFEST_VERSION,
  type ObjectRef,
  readManifest,
  segmentName,
  signManifest,
  workBytes,
} from './manifest.ts'
import { packPerson } from './person.ts'
import { personToSave } from './person-to-save.ts'
import { type Place, putObject } from './putting.ts'
import { packSegment } from './segment.ts'
import { loadStanding, type Owner, type Standing } from './standing.ts'

/**
 * Milliseconds after which what stands at the destination is looked up again before it is continued: another node may
 * have cleaned up there, or somebody emptied it. Less than what a cleaner waits: retention.ts.
 */
const LOOK_AGAIN_MS = 1_800_000
/** Milliseconds after which a save is named by a manifest as far as it is: cleaners leave it alone, and no more is lost. */
const PART_MS = 600_000
/** Times that a save begins anew because the chain changed its mind in the middle. */
const MAX_TRIES = 3

export interface WriterComponents {
  readonly store: ChainStore
  readonly signer: Signer
  readonly clock: Clock
  readonly logger: Logger
}

export interface SaveOptions {
  readonly name: string
  /** Somebody asked for it: a manifest is written although nothing is new. */
  readonly manual: boolean
  /** Writes everything anew, whatever is there. */
  readonly full?: boolean
  /** Who asked for it: a number that an administrator gave. */
  readonly by?: number | undefined
  readonly signal: AbortSignal
  /** What the manifest says of the key under a passphrase. */
  readonly slotOf?: (recipient: string) => Promise<ObjectRef | undefined>
}

export interface Saved {
  readonly object: string
  readonly name: string
  readonly number: number
  readonly time: number
  readonly height: number
  /** Bytes that this save wrote, and those of the whole backup. */
  readonly written: number
  readonly size: number
  readonly segments: number
  /** Where IPFS has the manifest, and what shows it in a browser. */
  readonly place?: Place
}

export interface BackupWriter {
  /** A record became pending. */
  note(record: PendingRecord): void
  /** The chain took blocks back: what is pending is not known any more. */
  unsure(): void
  /**
   * Writes what is new; undefined: nothing is.
   *
   * @throws BACKUP_NOT_READY, BACKUP_NO_RECIPIENT, the errors of destinations
   */
  save(options: SaveOptions): Promise<Saved | undefined>
}

export function createWriter(
  components: WriterComponents,
  { destination, owner }: { readonly destination: Destination; readonly owner: Owner },
): BackupWriter {
  const { store, signer, clock } = components
  const logger = components.logger.child('backup')
  const device = deviceKeyOf(signer.device)
  assert(device !== undefined, 'a device id stands for its key')
  const place = { network: owner.network, device }
  let standing: Standing | undefined
  let seenAt = 0
  /** The number of the last manifest that was sent, whether it arrived or not. */
  let sent = -1
  /** The object of the last manifest that arrived. */
  let last: string | undefined
  /** What the last manifest of this program says of the slot, hex. */
  let slotSaved: string | null | undefined
  const fresh = createFreshRecords()
  const savePerson = async (
    at: Standing,
    user: UserId,
    recipient: string,
    options: SaveOptions,
  ): Promise<Pick<Standing, 'person' | 'personHash'>> => {
    const encoded = await personToSave(owner, { standing: at, folder: folderOf(place), user })
    if (encoded === undefined) return at
    const personHash = toHex(sha256(encoded))
    if (personHash === at.personHash) return at
    const packed = await packPerson(encoded, recipient)
    const name = `${folderOf(place)}${toHex(sha256(packed))}.person.age`
    const { ref } = await putObject(destination, { name, bytes: packed }, options)
    return { person: ref, personHash }
  }

  const saveOnce = async (
    at: Standing,
    {
      user,
      recipient,
      taken,
    }: { user: UserId; recipient: string; taken: readonly PendingRecord[] | undefined },
    options: SaveOptions,
  ): Promise<
    { saved: Saved; next: Standing; isWhole: boolean } | 'nothing' | 'moved' | 'slept'
  > => {
    const { signal } = options
    const begun = clock.now()
    const plan = planSave(store, at.entries, taken)
    const person = await savePerson(at, user, recipient, options)
    const slot = await options.slotOf?.(recipient)
    const slotHash = slot === undefined ? null : toHex(slot.sha256)
    const isSlotNew = slotSaved !== undefined && slotHash !== slotSaved
    const isNew =
      plan !== undefined || person.person !== at.person || at.previous === null || isSlotNew
    if (!isNew && !options.manual) return 'nothing'

    const entries: Kept[] = [...(plan?.kept ?? at.entries)]
    const before = entries.length
    let written = 0
    let isWhole = true
    for await (const part of plan === undefined ? [] : partsOf(store, plan, clock, signal)) {
      const { content, carried, about } = part
      isWhole = written === 0 || clock.now() - begun < PART_MS
      if (!isWhole) break
      const bytes = await packSegment(content, { root: about.tip, recipient })
      const name = segmentName(place, { sha256: sha256(bytes) })
      const stored = await putObject(destination, { name, bytes, label: options.name }, options)
      const { name: _, ...ref } = stored.ref
      written += bytes.length
      entries.push({ entry: { ...about, ...ref }, carried })
    }
    const end = entries.at(-1)?.entry
    const tip = store.idAt(end?.to ?? 0)
    const chainwork = tip === undefined ? undefined : store.block(tip)?.chainwork
    const moved = entries.some(({ entry }) => store.idAt(entry.to) !== entry.tip)
    if (moved || tip === undefined || chainwork === undefined) return 'moved'
    const height = end?.to ?? 0

    const full = sealedCount(entries)
    let { sealed } = at
    if (full !== at.sealedEntries || full > before) {
      const index = encodeIndex(entries.slice(0, full).map(({ entry }) => entry))
      const name = `${folderOf(place)}${toHex(sha256(index))}.index`
      const stored = full === 0 ? null : putObject(destination, { name, bytes: index }, options)
      sealed = (await stored)?.ref ?? null
    }
    if (clock.now() - begun > LOOK_AGAIN_MS) return 'slept'
    const admission = store.recordsAt(signer.device, 0)[0]?.record
    assert(admission !== undefined, 'a device with a user has a first record')
    const manifest = signManifest(
      {
        version: MANIFEST_VERSION,
        ...place,
        user,
        admission: admission.bytes,
        number: at.number,
        previous: at.previous,
        time: clock.now(),
        name: options.name,
        manual: options.manual && isWhole ? 1 : 0,
        tip,
        height,
        chainwork: workBytes(chainwork),
        recipient,
        person: person.person,
        sealed,
        ...(slot === undefined ? {} : { slot }),
        segments: entries.slice(full).map(({ entry }) => entry),
      },
      signer.sign,
    )
    const label = `${options.name}: ${height} blocks`
    sent = at.number
    // What nobody could read is not sent.
    const { object, bytes } = readManifest(manifest.bytes, manifest.object)
    const stored = await putObject(destination, { name: object, bytes, label }, options)
    last = object
    slotSaved = slotHash
    written += bytes.length
    const size = entries.reduce((sum, { entry }) => sum + entry.size, bytes.length)
    return {
      saved: {
        object: manifest.object,
        name: options.name,
        number: at.number,
        time: manifest.time,
        height,
        written,
        size,
        segments: entries.length,
        ...(stored.place === undefined ? {} : { place: stored.place }),
      },
      next: {
        ...at,
        ...person,
        previous: stored.ref,
        number: at.number + 1,
        entries,
        sealed,
        sealedEntries: full,
      },
      isWhole,
    }
  }

  return {
    note: fresh.note,
    unsure: fresh.unsure,
    save: async (options) => {
      const user = owner.user()
      if (user === undefined) throw backupError('BACKUP_NOT_READY')
      if (options.full === true) {
        standing = undefined
        fresh.unsure()
      }
      if (standing === undefined || clock.now() - seenAt > LOOK_AGAIN_MS) {
        standing = await loadStanding(
          { store, destination, owner, logger },
          { device, user, full: options.full === true, last, standing, signal: options.signal },
        )
        if (!standing.isContinued) fresh.unsure()
        standing = { ...standing, number: Math.max(standing.number, sent + 1) }
        seenAt = clock.now()
      }
      const { recipient } = standing
      if (recipient === undefined) {
        standing = undefined
        throw backupError('BACKUP_NO_RECIPIENT', { destination: destination.name })
      }
      let saved: Saved | undefined
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const taken = fresh.take()
        let result: Awaited<ReturnType<typeof saveOnce>>
        try {
          result = await saveOnce(standing, { user, recipient, taken }, options)
        } catch (error) {
          fresh.putBack(taken)
          // It may be there all the same: no two backups have one number.
          if (sent === standing.number) standing = { ...standing, number: sent + 1 }
          throw error
        }
        if (result === 'nothing') return saved
        if (result === 'slept') {
          // Who cleans up there may have taken what no manifest named.
          standing = undefined
          fresh.unsure()
          throw backupError('BACKUP_INTERRUPTED')
        }
        if (result !== 'moved') {
          standing = result.next
          saved = result.saved
          if (result.isWhole) return saved
          tries = -1
        }
        fresh.unsure()
      }
      throw backupError('BACKUP_MOVING')
    },
  }
}
