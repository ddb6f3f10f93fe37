/**
 * The backup key under a passphrase, at one destination: whether it stands there, put there before the first backup,
 * and again when the passphrase is another one. What it is now is named by the manifests on IPFS, where no name leads
 * to it.
 *
 * owns: when the slot of a destination is written, and what is remembered of it
 * does not own: its form (slots.ts)
 */
import { toHex, utf8 } from '../../common/bytes.ts'
import type { Clock } from '../../common/clock.ts'
import { hkdf, sha256 } from '../../common/crypto.ts'
import { codeOf, messageOf } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { Destination } from './destination.ts'
import { backupError } from './errors.ts'
import { type BackupKey, unlockKey } from './keys.ts'
import type { ObjectRef } from './manifest.ts'
import { hasSlot, makeSlot, putSlot, readSlot, slotName } from './slots.ts'

const MARK_BYTES = 16

export interface SlotKeeper {
  /** Whether a passphrase opens the backups there: the one that is given, or any that was set from here. */
  readonly isSet: boolean
  /** Puts the passphrase that is given there, where it is not. What goes wrong is told by `problem`, not thrown. */
  ensure(signal: AbortSignal): Promise<void>
  /** What the last `ensure` could not do; undefined: nothing. */
  readonly problem: { readonly code: string; readonly message: string } | undefined
  /** Replaces the passphrase. @throws BACKUP_KEY_MISSING, the errors of destinations */
  set(passphrase: string, signal: AbortSignal): Promise<void>
  /** The slot that stands there, for a manifest; undefined: there is none, or names lead to it. */
  ref(recipient: string, signal: AbortSignal): Promise<ObjectRef | undefined>
}

/** Makes the slot of a passphrase once for all destinations: it takes a second and a quarter of a gigabyte. */
export function createSlotMaker(
  { clock }: { readonly clock: Clock },
  key: BackupKey | undefined,
  /** Of scrypt; less only in tests. */
  logN?: number,
): (passphrase: string) => Promise<Uint8Array> {
  let last: { readonly passphrase: string; readonly slot: Promise<Uint8Array> } | undefined
  return async (passphrase) => {
    if (key === undefined) throw backupError('BACKUP_KEY_MISSING')
    if (last?.passphrase !== passphrase) {
      const slot = makeSlot(key, passphrase, {
        randomBytes: clock.randomBytes,
        ...(logN === undefined ? {} : { logN }),
      })
      slot.catch(() => {
        last = undefined
      })
      last = { passphrase, slot }
    }
    return last.slot
  }
}

export function createSlotKeeper(
  components: {
    readonly destination: Destination
    readonly store: Pick<ChainStore, 'meta' | 'setMeta'>
    readonly make: (passphrase: string) => Promise<Uint8Array>
    readonly logger: Logger
  },
  init: {
    readonly key: BackupKey | undefined
    /** The passphrase of the configuration. */
    readonly passphrase: string | undefined
  },
): SlotKeeper {
  const { destination, store, make, logger } = components
  const { key, passphrase: given } = init
  const name = `backup/slot/${destination.name}`
  let seen = false
  let doing: Promise<void> | undefined
  let problem: SlotKeeper['problem']
  let known: { readonly ref: ObjectRef | undefined } | undefined

  /** Says which passphrase was set, and nothing about it to whoever has not the key. */
  const markOf = (passphrase: string): string =>
    key === undefined
      ? ''
      : toHex(hkdf(key.secret, utf8(passphrase), utf8('cairn/slot-mark/1'), MARK_BYTES))
  const mark = (): string | undefined => {
    const stored = store.meta(name)
    return stored === undefined ? undefined : new TextDecoder().decode(stored)
  }
  const isMarked = (): boolean =>
    given === undefined || key === undefined ? mark() !== undefined : mark() === markOf(given)

  const write = async (passphrase: string, signal: AbortSignal): Promise<void> => {
    const slot = await make(passphrase)
    signal.throwIfAborted()
    if (key === undefined) return
    await putSlot(destination, key.recipient, slot, signal)
    store.setMeta(name, utf8(markOf(passphrase)))
    known = { ref: refOf(key.recipient, slot) }
    seen = true
    logger.info('The passphrase opens the backups there', { destination: destination.name })
  }

  /**
   * Whether the passphrase opens what stands there already, for a node whose disk was wiped. Asked on IPFS alone: there
   * a slot that is replaced is unpinned, and the CIDs that somebody noted lead to the one of before.
   */
  const stands = async (passphrase: string, signal: AbortSignal): Promise<boolean> => {
    if (destination.kind !== 'ipfs' || key === undefined) return false
    const slot = await readSlot(destination, key.recipient, signal)
    if (slot === undefined) return false
    try {
      const opened = await unlockKey(slot, passphrase, destination.name)
      if (opened.recipient !== key.recipient) return false
    } catch {
      return false
    }
    store.setMeta(name, utf8(markOf(passphrase)))
    known = { ref: refOf(key.recipient, slot) }
    return true
  }

  const look = async (passphrase: string, signal: AbortSignal): Promise<void> => {
    try {
      // A destination may have been emptied since it was set there.
      if (key === undefined) return
      if (isMarked() && (await hasSlot(destination, key.recipient, signal))) seen = true
      else if (await stands(passphrase, signal)) seen = true
      else await write(passphrase, signal)
      problem = undefined
    } catch (error) {
      if (signal.aborted) return
      problem = { code: codeOf(error), message: messageOf(error) }
      const fields = { destination: destination.name, code: problem.code, why: problem.message }
      logger.warn('The passphrase could not be set there; it is tried again', fields)
    }
  }

  return {
    get isSet() {
      return isMarked()
    },
    get problem() {
      return problem
    },
    ensure: async (signal) => {
      while (given !== undefined && key !== undefined && !seen && !signal.aborted) {
        if (doing === undefined) {
          doing = look(given, signal)
          await doing
          doing = undefined
          return
        }
        await doing
      }
    },
    set: write,
    ref: async (recipient, signal) => {
      if (destination.kind !== 'ipfs') return undefined
      if (known === undefined) {
        const slot = await readSlot(destination, recipient, signal)
        known = { ref: slot === undefined ? undefined : refOf(recipient, slot) }
      }
      return known.ref
    },
  }
}

const refOf = (recipient: string, slot: Uint8Array): ObjectRef => ({
  name: slotName(recipient),
  sha256: sha256(slot),
  size: slot.length,
})
