/**
 * The backup key under a passphrase, kept at a destination: an age file for each recipient, beside the backups. Another
 * passphrase replaces the file; the backups stay as they are.
 */
import { toHex, utf8 } from '../../common/bytes.ts'
import { sha256 } from '../../common/crypto.ts'
import { codeOf } from '../../common/errors.ts'
import { KIB } from '../../common/limits.ts'
import { createSerialQueue } from '../../common/queue.ts'
import type { Destination } from './destination.ts'
import { backupError } from './errors.ts'
import { type BackupKey, lockKey, unlockKey } from './keys.ts'

const PREFIX = 'slots/'
const SALT_BYTES = 16
/** Bytes of a slot: ours has some four hundred. */
const MAX_SLOT_BYTES: number = 4 * KIB
/** Slots that are tried: each takes a second and a quarter of a gigabyte. */
const MAX_SLOTS = 16

/** Where the slot of a key stands. */
export function slotName(recipient: string): string {
  return `${PREFIX}${toHex(sha256(utf8(recipient))).slice(0, 32)}.key-slot.age`
}

/** The key under a passphrase. @param logN - of scrypt; less only in tests */
export function makeSlot(
  key: BackupKey,
  passphrase: string,
  {
    randomBytes,
    logN,
  }: { readonly randomBytes: (length: number) => Uint8Array; readonly logN?: number },
): Promise<Uint8Array> {
  return lockKey(key, passphrase, { salt: randomBytes(SALT_BYTES), logN })
}

/** Replaces the slot of a key at a destination. @throws the errors of destinations */
export async function putSlot(
  destination: Destination,
  recipient: string,
  slot: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const label = 'backup key under a passphrase'
  await destination.put(slotName(recipient), slot, { signal, label })
}

/** Whether the slot of a key stands at a destination. @throws the errors of destinations */
export async function hasSlot(
  destination: Destination,
  recipient: string,
  signal: AbortSignal,
): Promise<boolean> {
  const name = slotName(recipient)
  return (await destination.list(name, signal)).some((object) => object.name === name)
}

/** The slot of a key as it stands at a destination; undefined: there is none. @throws the errors of destinations */
export async function readSlot(
  destination: Destination,
  recipient: string,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  try {
    return await destination.get(slotName(recipient), signal, MAX_SLOT_BYTES)
  } catch (error) {
    if (codeOf(error) === 'OBJECT_NOT_FOUND') return undefined
    throw error
  }
}

/**
 * The key that a passphrase opens at the first of the destinations that answers: one that hangs delays no other. The
 * slots are tried one after the other, since each takes a second and a quarter of a gigabyte.
 *
 * @returns the key, or what went wrong: BACKUP_SLOT_MISSING, BACKUP_PASSPHRASE, the errors of destinations
 */
export async function openAnySlot(
  destinations: readonly Destination[],
  passphrase: string,
  signal: AbortSignal,
): Promise<{
  readonly key: BackupKey | undefined
  readonly failures: readonly { readonly destination: Destination; readonly error: unknown }[]
}> {
  const enough = new AbortController()
  const looking = AbortSignal.any([signal, enough.signal])
  const turns = createSerialQueue(destinations.length)
  const failures: { readonly destination: Destination; readonly error: unknown }[] = []
  const found = Promise.withResolvers<BackupKey>()
  const all = Promise.all(
    destinations.map(async (destination) => {
      try {
        const slots = await readSlots(destination, looking)
        found.resolve(
          await turns.run(() => openOneOf(slots, passphrase, destination.name), looking),
        )
      } catch (error) {
        if (!enough.signal.aborted) failures.push({ destination, error })
      }
    }),
  )
  try {
    const key = await Promise.race([found.promise, all.then(() => undefined)])
    signal.throwIfAborted()
    return { key, failures }
  } finally {
    enough.abort(new Error('the key is found'))
  }
}

/** The slots of a destination, the newest first. */
async function readSlots(
  destination: Destination,
  signal: AbortSignal,
): Promise<readonly Uint8Array[]> {
  const listed = (await destination.list(PREFIX, signal)).slice(-MAX_SLOTS).reverse()
  const slots: Uint8Array[] = []
  for (const { name } of listed) {
    try {
      slots.push(await destination.get(name, signal, MAX_SLOT_BYTES))
    } catch (error) {
      // A manifest on IPFS names the slot of its time, which may be unpinned since.
      if (codeOf(error) !== 'OBJECT_NOT_FOUND') throw error
    }
  }
  if (slots.length === 0) {
    throw backupError('BACKUP_SLOT_MISSING', { destination: destination.name })
  }
  return slots
}

async function openOneOf(
  slots: readonly Uint8Array[],
  passphrase: string,
  destination: string,
): Promise<BackupKey> {
  for (const slot of slots) {
    try {
      return await unlockKey(slot, passphrase, destination)
    } catch (error) {
      if (codeOf(error) !== 'BACKUP_PASSPHRASE') throw error
    }
  }
  throw backupError('BACKUP_PASSPHRASE', { destination })
}
