/** Asks key holders for a key, one after the other, until one gives a key that opens the version. */
import type { DeviceId, RecordId } from '../../chain/ids.ts'
import { REASONS } from '../../chain/reasons.ts'
import { codeOf } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import type { KeyAnswer } from '../../network/key-release/messages.ts'
import type { VersionRecord } from '../../storage/projections.ts'
import type { ReadableVersion } from '../files/secrets.ts'
import { accessError } from './errors.ts'

export interface AskingComponents {
  /** Asks a connected device for a key; see network/key-release/protocol.ts. */
  readonly ask: (device: DeviceId, access: RecordId, signal: AbortSignal) => Promise<KeyAnswer>
  /** Ids of the devices that are connected. */
  readonly connected: () => ReadonlySet<string>
  /** Opens a key that was sealed to this device for an access; undefined: it was not. */
  readonly open: (sealed: Uint8Array, access: RecordId) => Promise<Uint8Array | undefined>
  /** Whether a key opens a version's bytes; undefined: they are not here. */
  readonly fits: (version: VersionRecord, key: Uint8Array) => Promise<boolean | undefined>
  readonly logger: Logger
}

export interface Asking {
  /**
   * Undefined: nobody gave one now, and somebody may later.
   *
   * @param holders - those who are not connected are passed over
   * @throws ACCESS_DENIED when nobody gave one and somebody refused for good, and the signal's reason
   */
  askAll(
    wanted: ReadableVersion,
    access: RecordId,
    holders: readonly DeviceId[],
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined>
}

/** Accesses for which holders are remembered that gave a wrong key. */
const MAX_LIED = 1024

/** What a refusal by a key holder means in the words of the rules; others may pass. */
const FINAL: Readonly<Partial<Record<string, keyof typeof REASONS>>> = {
  REVOKED: 'ACCESS_REVOKED',
  EXPIRED: 'ACCESS_EXPIRED',
  USED_UP: 'ACCESS_USED_UP',
}

export function createAsking({
  ask,
  connected,
  open,
  fits,
  logger: parent,
}: AskingComponents): Asking {
  const logger = parent.child('reading')
  /** Holders whose key opened nothing, by access: not asked for it again. */
  const liars = new Map<RecordId, Set<DeviceId>>()

  const askAll: Asking['askAll'] = async ({ version, record }, access, holders, signal) => {
    let refusal: string | undefined
    for (const holder of holders) {
      if (!connected().has(holder) || liars.get(access)?.has(holder)) continue
      let answer: KeyAnswer
      try {
        answer = await ask(holder, access, signal)
      } catch (error) {
        signal.throwIfAborted()
        logger.debug('A key holder did not answer.', { peer: holder, code: codeOf(error) })
        continue
      }
      if (answer.type === 'refused') {
        logger.debug('A key holder gives no key.', { peer: holder, code: answer.code })
        refusal ??= answer.code === 'ACCESS_DENIED' ? (answer.reason ?? '') : FINAL[answer.code]
        continue
      }
      const key = await open(answer.sealed, access)
      if (key !== undefined && (await fits(record, key)) !== false) {
        liars.delete(access)
        return key
      }
      logger.warn('A key holder gave a key that does not open the file.', { peer: holder, version })
      const caught = liars.get(access) ?? new Set()
      if (liars.size < MAX_LIED) liars.set(access, caught.add(holder))
    }
    if (refusal !== undefined) throw denied(refusal)
    return undefined
  }

  return { askAll }
}

/** @param reason - a code of the rules, or what a peer says it is */
export function denied(reason: string): Error {
  const known = Object.hasOwn(REASONS, reason) ? REASONS[reason as keyof typeof REASONS] : undefined
  const why = known ?? 'A key holder refuses it.'
  return accessError('ACCESS_DENIED', { reason: known === undefined ? null : reason, why })
}
