/**
 * What a revoked device is shown, and what this device believes when it is shown something: the signed revocation,
 * by the rules by which everybody judges one. A liar has none that counts, so nobody can talk a healthy device into
 * thinking that it is out.
 */
import { decodeRecord, recordMessage } from '../../chain/codec.ts'
import { type DeviceId, deviceIdOf, deviceKeyOf, type NetworkId } from '../../chain/ids.ts'
import type { RecordOf, SignedRecord } from '../../chain/record.ts'
import { verifyEd25519 } from '../../common/crypto.ts'
import { codeOf } from '../../common/errors.ts'
import type { Events } from '../../common/events.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/logger.ts'
import type { Farewells } from '../../network/farewell/farewell.ts'
import { MAX_FAREWELL_RECORDS } from '../../network/farewell/messages.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { NodeEvents } from '../events.ts'
import type { Directory } from '../explorer/directory.ts'
import type { Gate } from './gate.ts'
import type { AdmissionRecord, PeopleIndex } from './people-index.ts'
import { revocationIdOf } from './revoked.ts'
import { type OwnRevocation, revokedText } from './revoked-text.ts'

export interface FarewellService extends Farewells, Startable {
  /** Undefined: as far as it knows, this device is a member. */
  readonly own: OwnRevocation | undefined
}

const SHOWN_KEY = 'revocation/own'

export function createFarewells(
  components: {
    readonly store: Pick<ChainStore, 'meta' | 'setMeta' | 'record' | 'state'>
    readonly index: Pick<PeopleIndex, 'admissionsOf'>
    readonly gate: Pick<Gate, 'hear' | 'isRevoked' | 'onChange'>
    readonly directory: Pick<Directory, 'device'>
    /** Checks and stores admissions as such that came by sync. */
    readonly accept: (records: readonly Uint8Array[], from: DeviceId) => Promise<unknown>
    readonly events: Events<NodeEvents>
    readonly logger: Logger
  },
  init: { readonly network: NetworkId; readonly device: DeviceId },
): FarewellService {
  const { store, index, gate, directory, accept, events } = components
  const logger = components.logger.child('farewell')
  let alarmed = false

  const revocationOf = (device: DeviceId): RecordOf<'device.revoke'> | undefined => {
    const id = revocationIdOf(store, device)
    const record = id === undefined ? undefined : store.record(id)?.record
    return record?.type === 'device.revoke' ? record : undefined
  }
  /** The revocation of this device: stored like any other, or as it was shown. */
  const ownRecord = (): RecordOf<'device.revoke'> | undefined => {
    const stored = revocationOf(init.device)
    if (stored !== undefined) return stored
    const shown = store.meta(SHOWN_KEY)
    const record = shown === undefined ? undefined : decodeRecord(shown)
    return record?.type === 'device.revoke' ? record : undefined
  }
  const own = (): OwnRevocation | undefined => {
    const record = gate.isRevoked(init.device) ? ownRecord() : undefined
    if (record === undefined) return undefined
    const { name } = directory.device(record.device)
    const { reason, recovery } = record.body
    const by = { device: record.device, name }
    return { by, time: record.time, reason, byRecovery: recovery !== undefined }
  }

  /** The admission of a device, and of those that vouched for it. */
  const admissionsOf = (device: DeviceId): AdmissionRecord[] => {
    const found: AdmissionRecord[] = []
    let next: DeviceId | undefined = device
    while (next !== undefined && found.length < MAX_FAREWELL_RECORDS - 1) {
      const admission: AdmissionRecord | undefined = index.admissionsOf(next)[0]
      if (admission === undefined || found.includes(admission)) break
      found.push(admission)
      const proof: AdmissionRecord['body']['proof'] = admission.body.proof
      next = proof.type === 'device' ? deviceIdOf(proof.device) : undefined
    }
    return found
  }

  const isSigned = (record: SignedRecord): boolean => {
    const key = deviceKeyOf(record.device)
    return key !== undefined && verifyEd25519(key, recordMessage(record), record.signature)
  }

  const tellOnce = (): void => {
    const known = alarmed ? undefined : own()
    if (known === undefined) return
    alarmed = true
    events.emit('chain:alarm', { code: 'DEVICE_OUT', message: revokedText(known) })
  }

  return {
    get own() {
      return own()
    },
    wordsFor: (device) => {
      const revocation = gate.isRevoked(device) ? revocationOf(device) : undefined
      if (revocation === undefined) return []
      return [revocation, ...admissionsOf(revocation.device)].map(({ bytes }) => bytes)
    },
    told: async ([first, ...others], from) => {
      if (first === undefined || own() !== undefined) return
      try {
        const record = decodeRecord(first)
        if (record.type !== 'device.revoke' || record.network !== init.network) return
        if (deviceIdOf(record.body.device) !== init.device || !isSigned(record)) return
        const admissions = others.filter((bytes) => {
          const { type, network } = decodeRecord(bytes)
          return (type === 'device.add' || type === 'user.create') && network === init.network
        })
        if (admissions.length > 0) await accept(admissions, from)
        gate.hear(record)
        if (revocationIdOf(store, init.device) !== record.id) return
        // It cannot be stored as a record while what its device stated before it is missing here.
        store.setMeta(SHOWN_KEY, first)
        tellOnce()
      } catch (error) {
        logger.debug('A farewell was not believed.', { peer: from, code: codeOf(error) })
      }
    },
    start: async () => {
      gate.onChange(tellOnce)
      tellOnce()
    },
    stop: async () => {},
  }
}
