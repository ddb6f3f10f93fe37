/**
 * A data directory made from backups. Afterwards `createNode` on it goes on by itself.
 *
 * Killed at any moment it can be run again: the file with the network's parameters is written last, and what an
 * unfinished try has left is continued. What stood in the directory before is put aside, never deleted.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { decodeRecord } from '../chain/codec.ts'
import { type DeviceId, deviceIdOf, type NetworkId, type UserId } from '../chain/ids.ts'
import { networkIdOf } from '../chain/params.ts'
import { type Clock, systemClock } from '../common/clock.ts'
import { publicKeyOf } from '../common/crypto.ts'
import { codeOf, messageOf } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import { wantContents } from '../services/backup/contents/back.ts'
import type { Destination } from '../services/backup/destination.ts'
import { boundedCalls } from '../services/backup/destination-calls.ts'
import { backupError } from '../services/backup/errors.ts'
import { type Found, findBackups } from '../services/backup/find.ts'
import type { BackupKey } from '../services/backup/keys.ts'
import { backupKeyOfKit } from '../services/backup/keys.ts'
import { readmit } from '../services/backup/readmission.ts'
import { checkNotBehind, type Restored, restoreBackups } from '../services/backup/restore.ts'
import { openScratch, type ScratchChain } from '../services/backup/scratch.ts'
import { type Selection, selected } from '../services/backup/selection.ts'
import { createUnseen, missedOf } from '../services/backup/unseen.ts'
import { createVerifier } from '../services/verifier.ts'
import { type DataDirectory, openDataDirectory } from '../storage/data-directory.ts'
import { openJournal } from '../storage/journal.ts'
import { openKeystore } from '../storage/keystore.ts'
import { openChain } from './chain-database.ts'
import { DEVICE_KEYS } from './identity.ts'
import { rememberPeers } from './joining-directory.ts'
import {
  isHalfRestored,
  JOINING_FILE,
  readNetwork,
  restoringNetwork,
  writeNetwork,
} from './network-choice.ts'
import { endTry, giveUp, moveAside, moveBack, writeTry } from './restoring-aside.ts'

export interface RestoreOptions {
  readonly dataDir: string
  readonly logger: Logger
  readonly clock?: Clock
  /** Read only; the caller closes them. */
  readonly destinations: readonly Destination[]
  /** What opens the backups: one of them. */
  readonly key?: BackupKey | undefined
  readonly passphrase?: string | undefined
  /** The 32 bytes of the recovery kit; they are kept then, and admit the device where no restore key is. */
  readonly kit?: Uint8Array | undefined
  /** Default: the one that the backup names. */
  readonly deviceName?: string | undefined
  readonly selection?: Selection | undefined
  /** Restores also over a directory that belongs to a network; what is there is put aside. */
  readonly replace?: boolean
  /** Lets `replace` go back behind what is there. */
  readonly allowRollback?: boolean
  /** The only one that counts; default: the one with most work. */
  readonly wanted?: NetworkId | undefined
  /**
   * Restores as soon as one destination has answered and the others had a moment: a node goes on here at once, and
   * takes in what they hold when they answer.
   */
  readonly inHaste?: boolean
  /** Goes on without a backup although there may be one; with `replace`, also to another network. */
  readonly newNetwork?: boolean
}

export interface RestoredDirectory extends Restored {
  readonly network: NetworkId
  readonly user: UserId
  readonly device: DeviceId
  /** Where what was there before is now. */
  readonly putAside: string | undefined
  /** Destinations that did not answer: a node that runs here takes in what they hold when they do. */
  readonly late: readonly string[]
}

/**
 * Restores, when the directory belongs to no network yet (or `replace` says so) and there is a backup.
 *
 * @returns undefined: there is nothing to restore, and a node may start here as it would without backups
 * @throws BACKUP_UNREACHABLE, BACKUP_UNREADABLE, BACKUP_KEY_MISSING, BACKUP_PASSPHRASE, BACKUP_SLOT_MISSING,
 *   BACKUP_NONE, BACKUP_BEHIND, BACKUP_NETWORK, BACKUP_OTHER_NETWORK, BACKUP_CLOCK, BACKUP_NO_PROOF, storage errors; the directory is no network's
 *   then, or, with `replace`, as it was before
 */
export async function restoreDirectory(
  options: RestoreOptions,
  signal: AbortSignal,
): Promise<RestoredDirectory | undefined> {
  const { logger, clock = systemClock, replace = false } = options
  if (options.destinations.length === 0) return undefined
  const directory = openDataDirectory(options.dataDir)
  try {
    const params = readNetwork(directory.path)
    const isTaken = params !== undefined && !isHalfRestored(directory.path)
    if (existsSync(join(directory.path, JOINING_FILE)) || (isTaken && !replace)) return undefined
    const found = await find(options, clock, signal)
    if (found === undefined) {
      if (options.newNetwork === true) giveUp(directory, clock.now())
      return undefined
    }
    const backups = selected(found.backups, options.selection ?? {})
    if (isTaken && networkIdOf(params) !== found.network && options.newNetwork !== true) {
      const name = backups[0]?.manifest.object ?? ''
      throw backupError('BACKUP_OTHER_NETWORK', { name, network: found.network })
    }
    const mustReach =
      isTaken && networkIdOf(params) === found.network && options.allowRollback !== true
        ? heightIn(directory, { clock, logger })
        : undefined
    if (mustReach !== undefined) checkNotBehind(backups, mustReach)
    // What an unfinished try has left is continued, when it was for the same network.
    const isSame = restoringNetwork(directory.path) === found.network
    const putAside = isSame ? undefined : moveAside(directory, clock.now())
    writeTry(directory, found.network)
    const verifier = createVerifier({ clock })
    let scratch: ScratchChain | undefined
    let isDone = false
    try {
      scratch = openScratch(
        { verifier, clock, logger },
        { path: directory.database, params: found.person.params },
      )
      const restored = await restoreBackups(
        { target: scratch, clock, logger },
        { backups, key: found.key },
        signal,
      )
      // What a manifest says is not proven before its blocks are here.
      const { height, chainwork } = scratch.store.tip()
      if (mustReach !== undefined && chainwork < mustReach.chainwork) {
        const name = restored.sources[0]?.object ?? ''
        throw backupError('BACKUP_BEHIND', { name, height, here: mustReach.height })
      }
      const late = missed(options, found, restored)
      const unseen = createUnseen(scratch.store)
      for (const each of late) unseen.add(each)
      const device = await settle(directory, found, { ...options, clock, store: scratch.store })
      const { network, user } = found
      logger.warn('Restored from backups', { network, user, device, height: restored.height })
      const names = late.map(({ name }) => name)
      if (names.length > 0) {
        const fields = { destinations: names.join(', ') }
        logger.warn('What did not answer is taken in when it does', fields)
      }
      isDone = true
      return { ...restored, network, user, device, putAside, late: names }
    } catch (error) {
      signal.throwIfAborted()
      if (isTaken || options.newNetwork !== true) throw error
      tellGoingOn(logger, error)
      return undefined
    } finally {
      await scratch?.close()
      await verifier.stop()
      if (!isDone && isTaken && putAside !== undefined) moveBack(directory, putAside)
      if (!isDone && !isTaken && options.newNetwork === true) giveUp(directory, clock.now())
    }
  } finally {
    directory.release()
  }
}

/** Whose backups are to be taken in later; of nobody when somebody chose what to go back to. */
function missed(
  { destinations, selection, allowRollback }: RestoreOptions,
  found: Found,
  restored: Restored,
): readonly Destination[] {
  const isChosen = selection?.id !== undefined || selection?.time !== undefined
  if (isChosen || allowRollback === true) return []
  return missedOf(destinations, found.unseen, [...found.problems, ...restored.problems])
}

async function find(
  options: RestoreOptions,
  clock: Clock,
  signal: AbortSignal,
): Promise<Found | undefined> {
  const { destinations, key, passphrase, kit, newNetwork, logger } = options
  const opener = { key: key ?? (kit === undefined ? undefined : backupKeyOfKit(kit)), passphrase }
  const bounded = destinations.map((each) => boundedCalls(each, clock))
  try {
    return await findBackups(
      { destinations: bounded, logger },
      {
        opener,
        network: options.wanted,
        patience: options.inHaste === true ? { clock } : undefined,
      },
      signal,
    )
  } catch (error) {
    signal.throwIfAborted()
    if (newNetwork !== true) throw error
    tellGoingOn(logger, error)
    return undefined
  }
}

function tellGoingOn(logger: Logger, error: unknown): void {
  const fields = { code: codeOf(error), why: messageOf(error) }
  logger.warn('Going on without the backups, as told', fields)
}

/** Makes the directory a device of the user: keys, first records, and the network last. */
async function settle(
  directory: DataDirectory,
  { network, person }: Found,
  {
    kit,
    deviceName,
    store,
    logger,
    clock,
  }: RestoreOptions & { readonly clock: Clock; readonly store: ScratchChain['store'] },
): Promise<DeviceId> {
  const keystore = openKeystore({ path: directory.keys, randomBytes: clock.randomBytes, logger })
  keystore.ensure(DEVICE_KEYS)
  const seed = keystore.require('device')
  const publicKey = publicKeyOf('ed25519', seed)
  const device = deviceIdOf(publicKey)
  const encryptionKey = publicKeyOf('x25519', keystore.require('device-encryption'))
  const readmitted = await readmit(
    { store, clock },
    { network, person, device: seed, encryptionKey, deviceName, kit },
  )
  const { records, userSecret } = readmitted
  const journal = openJournal(directory.journal, { logger })
  try {
    const isSigned = journal.read().some((entry) => decodeRecord(entry).device === device)
    if (!isSigned) journal.append(...records.map(({ bytes }) => bytes))
  } finally {
    journal.close()
  }
  if (userSecret !== undefined) keystore.put('user', userSecret)
  if (person.restore !== undefined) keystore.put('restore', person.restore)
  if (kit !== undefined) keystore.put('recovery', kit)
  const { peers = [] } = person
  if (peers.length > 0) await rememberPeers(directory, peers, { logger, clock })
  wantContents(store)
  writeNetwork(directory.path, person.params)
  endTry(directory)
  return device
}

function heightIn(
  directory: DataDirectory,
  components: { readonly clock: Clock; readonly logger: Logger },
): { readonly height: number; readonly chainwork: bigint } {
  const params = readNetwork(directory.path)
  if (params === undefined) return { height: 0, chainwork: 0n }
  const { db, store } = openChain(components, { path: directory.database, params })
  const { height, chainwork } = store.tip()
  db.close()
  return { height, chainwork }
}
