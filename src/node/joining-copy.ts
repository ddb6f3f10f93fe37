/**
 * A copy of a data directory, for instance from a backup, made into a new device of the same user by the recovery
 * kit: two machines with one device key would speak for each other.
 *
 * Killed at any moment it can be run again: the network's parameters stay beside until the directory has them back.
 */
import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { admissionMessage, RECOVERED_DOMAIN } from '../chain/admissions.ts'
import { signRecord } from '../chain/codec.ts'
import { type NetworkParams, networkIdOf } from '../chain/params.ts'
import type { SignedRecord, UnsignedRecord } from '../chain/record.ts'
import { equalBytes } from '../common/bytes.ts'
import { type Clock, systemClock } from '../common/clock.ts'
import { publicKeyOf, signEd25519 } from '../common/crypto.ts'
import { peopleError } from '../services/people/errors.ts'
import { flushDirectory } from '../storage/atomic-file.ts'
import type { ChainStore } from '../storage/chain-store.ts'
import { type DataDirectory, openDataDirectory } from '../storage/data-directory.ts'
import { openJournal } from '../storage/journal.ts'
import { openKeystore } from '../storage/keystore.ts'
import { openChain } from './chain-database.ts'
import { nodeError } from './errors.ts'
import { DEVICE_KEYS, identityOf } from './identity.ts'
import { type Joined, type RecoverOptions, recoverUser } from './joining.ts'
import { openNotes } from './joining-directory.ts'
import { BEFORE_FILE, NETWORK_FILE, readKnown, writeNetwork } from './network-choice.ts'
import { createPeerMemory } from './peer-memory.ts'

/** Milliseconds in which a member may take the new device in, before it goes on without any. */
const ALONE_MS = 15_000

export interface RecoveredCopy extends Joined {
  /** Nobody answered: the others know nothing of this device yet, and let it in only after another recovery. */
  readonly alone: boolean
}

/** Whether a directory belongs to a network, so that `recoverCopy` is the way, not `recoverUser`. */
export function isCopy(dataDir: string): boolean {
  return [NETWORK_FILE, BEFORE_FILE].some((name) => existsSync(join(dataDir, name)))
}

/**
 * @param options.addresses - of members, beside those that the directory remembers; none is needed
 * @param options.aloneMs - another patience than the usual only in tests
 * @throws RECOVERY_OTHER when the directory's network has no user with this kit, JOIN_DIRECTORY when it came in and
 *   was never started, else as `recoverUser`
 */
export async function recoverCopy(
  options: RecoverOptions & { readonly aloneMs?: number },
  signal: AbortSignal,
): Promise<RecoveredCopy> {
  const { dataDir, logger, clock = systemClock, entropy } = options
  const { record, tip, params } = await setAside(options, clock)
  const memory = await createPeerMemory(join(dataDir, 'peers.json'), logger).load()
  const remembered = memory.flatMap(({ device, addresses }) =>
    addresses.map((address) => `${address}/p2p/${device}`),
  )
  const addresses = [...new Set([...options.addresses, ...remembered])]
  const limited = AbortSignal.any([signal, AbortSignal.timeout(options.aloneMs ?? ALONE_MS)])
  if (addresses.length > 0) {
    try {
      const joined = await recoverUser({ ...options, addresses }, limited)
      rmSync(join(dataDir, BEFORE_FILE), { force: true })
      return { ...joined, alone: false }
    } catch (error) {
      if (!limited.aborted || signal.aborted) throw error
    }
  }
  const directory = openDataDirectory(dataDir)
  try {
    const notes = openNotes(directory, publicKeyOf('ed25519', entropy))
    const admission =
      notes.kept?.record ?? admit(directory, options, { record, tip, params }, clock)
    notes.keep({ record: admission, role: null })
    const journal = openJournal(directory.journal, { logger })
    try {
      const isThere = journal.read().some((entry) => equalBytes(entry, admission.bytes))
      if (!isThere) journal.append(admission.bytes)
    } finally {
      journal.close()
    }
    writeNetwork(dataDir, params)
    notes.end()
    rmSync(join(dataDir, BEFORE_FILE), { force: true })
    const { network, device } = admission
    return { network, device, user: record.identity, ownDevice: true, role: null, alone: true }
  } finally {
    directory.release()
  }
}

interface Found {
  /** The user's `user.create`. */
  readonly record: SignedRecord
  readonly tip: UnsignedRecord['seen']
  readonly params: NetworkParams
}

/** Finds the user of the kit; then takes the other device's keys and the network's parameters out of the way. */
async function setAside(
  { dataDir, logger, entropy }: RecoverOptions,
  clock: Clock,
): Promise<Found> {
  const directory = openDataDirectory(dataDir)
  try {
    const path = join(dataDir, NETWORK_FILE)
    const before = join(dataDir, BEFORE_FILE)
    const params = readKnown(path) ?? readKnown(before)
    if (params === undefined) throw peopleError('RECOVERY_OTHER')
    const { db, store } = openChain({ clock, logger }, { path: directory.database, params })
    let found: Found
    try {
      const tip = store.tip()
      const record = userOf(store, entropy)
      if (record === undefined) {
        // Killed between its way in and its first start, it is in, and knows nobody yet: there is nothing to recover.
        if (tip.height > 0) throw peopleError('RECOVERY_OTHER')
        throw nodeError('JOIN_DIRECTORY', { path: dataDir, network: networkIdOf(params) })
      }
      found = { record, tip: tip.id, params }
    } finally {
      db.close()
    }
    if (existsSync(path)) {
      renameSync(path, before)
      flushDirectory(dataDir)
      // Once only: a run that goes on where another was killed has the new device's keys already.
      const keystore = openKeystore({
        path: directory.keys,
        randomBytes: clock.randomBytes,
        logger,
      })
      for (const name of DEVICE_KEYS) keystore.remove(name)
    }
    return found
  } finally {
    directory.release()
  }
}

function userOf(
  store: Pick<ChainStore, 'projections'>,
  entropy: Uint8Array,
): SignedRecord | undefined {
  const key = publicKeyOf('ed25519', entropy)
  for (const { record } of store.projections.peopleRecords()) {
    if (record.type === 'user.create' && equalBytes(record.body.recoveryKey, key)) return record
  }
  return undefined
}

/** The new device's keys, where there are none yet, and its admission by the kit. */
function admit(
  directory: DataDirectory,
  { entropy, deviceName, logger }: RecoverOptions,
  { record, tip, params }: Found,
  clock: Clock,
): SignedRecord {
  const keystore = openKeystore({ path: directory.keys, randomBytes: clock.randomBytes, logger })
  for (const name of keystore.complete()) if (!DEVICE_KEYS.includes(name)) keystore.remove(name)
  keystore.ensure(DEVICE_KEYS)
  keystore.put('recovery', entropy)
  const { device, signer, encryptionKey } = identityOf(keystore)
  const network = networkIdOf(params)
  const user = record.identity
  const message = admissionMessage({ network, user, device, encryptionKey }, RECOVERED_DOMAIN)
  const proof = { type: 'recovery' as const, signature: signEd25519(entropy, message) }
  return signRecord(
    {
      type: 'device.add',
      user,
      body: { name: deviceName, encryptionKey, proof },
      network,
      device,
      sequence: 0,
      previous: null,
      seen: tip,
      time: clock.now(),
    },
    signer.sign,
  )
}
