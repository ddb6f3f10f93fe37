/**
 * How a restored device gets in: a fresh device key, admitted by the restore key that stands in the backup (or by the
 * recovery kit, where it is given), and the user's keys passed on to it. Nobody has to do anything on another device.
 */
import { admissionMessage, RECOVERED_DOMAIN, RESTORED_DOMAIN } from '../../chain/admissions.ts'
import { signRecord } from '../../chain/codec.ts'
import { type DeviceId, deviceIdOf, type NetworkId } from '../../chain/ids.ts'
import type { SignedRecord, UnsignedRecord } from '../../chain/record.ts'
import { MAX_SEALS } from '../../chain/record-bodies.ts'
import { equalBytes } from '../../common/bytes.ts'
import type { Clock } from '../../common/clock.ts'
import { publicKeyOf, signEd25519 } from '../../common/crypto.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import { sealKey, sealPurposes } from '../access/seals.ts'
import { backupError } from './errors.ts'
import type { Person } from './person.ts'

/** Names have at most so many bytes; characters of a name that are kept. */
const MAX_NAME_CHARACTERS = 60

export interface Readmitted {
  /** To be stored as the device's first records, in this order. */
  readonly records: readonly SignedRecord[]
  /** The user's first key, which the keystore holds; undefined: the backup does not have it. */
  readonly userSecret: Uint8Array | undefined
}

/**
 * The first records of a restored device.
 *
 * @param store - the restored chain
 * @throws BACKUP_NO_PROOF: the backup holds no restore key, and there is no kit
 */
export async function readmit(
  components: { readonly store: Pick<ChainStore, 'tip' | 'record'>; readonly clock: Clock },
  init: {
    readonly network: NetworkId
    readonly person: Person
    /** Ed25519 seed of the new device. */
    readonly device: Uint8Array
    /** X25519 public key of the new device. */
    readonly encryptionKey: Uint8Array
    readonly deviceName: string | undefined
    /** The 32 bytes of the recovery kit. */
    readonly kit: Uint8Array | undefined
  },
): Promise<Readmitted> {
  const { store, clock } = components
  const { network, person, encryptionKey, kit } = init
  const { user, restore } = person
  const device: DeviceId = deviceIdOf(publicKeyOf('ed25519', init.device))
  const sign = (message: Uint8Array): Uint8Array => signEd25519(init.device, message)
  const claims = { network, user, device, encryptionKey }
  const name = init.deviceName ?? [...person.deviceName].slice(0, MAX_NAME_CHARACTERS).join('')
  const seen = store.tip().id
  const time = clock.now()

  const proof = (): { type: 'restore' | 'recovery'; signature: Uint8Array } => {
    if (restore !== undefined) {
      const message = admissionMessage(claims, RESTORED_DOMAIN)
      return { type: 'restore', signature: signEd25519(restore, message) }
    }
    if (kit === undefined) throw backupError('BACKUP_NO_PROOF')
    const message = admissionMessage(claims, RECOVERED_DOMAIN)
    return { type: 'recovery', signature: signEd25519(kit, message) }
  }
  const admission = signRecord(
    {
      type: 'device.add',
      network,
      user,
      device,
      sequence: 0,
      previous: null,
      seen,
      time,
      body: { name, encryptionKey, proof: proof() },
    } as UnsignedRecord,
    sign,
  )

  const first = firstKeyOf(store, person)
  const later = person.userKeys.filter((secret) => secret !== first)
  const records = [admission]
  for (let at = 0; at < later.length; at += MAX_SEALS) {
    const copies = await copiesOf(later.slice(at, at + MAX_SEALS), { network, to: encryptionKey })
    const previous = records.at(-1)?.id ?? null
    const sequence = records.length
    records.push(
      signRecord(
        {
          type: 'key.copy',
          network,
          user,
          device,
          sequence,
          previous,
          seen,
          time,
          body: { copies },
        } as UnsignedRecord,
        sign,
      ),
    )
  }
  return { records, userSecret: first }
}

/** Secrets of the user's keys, sealed to a device: what a `key.copy` says. */
export function copiesOf(
  secrets: readonly Uint8Array[],
  { network, to }: { readonly network: NetworkId; readonly to: Uint8Array },
) {
  return Promise.all(
    secrets.map(async (secret) => {
      const key = publicKeyOf('x25519', secret)
      const sealed = await sealKey(to, secret, sealPurposes(network).userKey(key))
      return { type: 'user' as const, key, to, sealed }
    }),
  )
}

/** The secret of the key that the user was made with. */
function firstKeyOf(
  store: Pick<ChainStore, 'record'>,
  { user, userKeys }: Person,
): Uint8Array | undefined {
  const created = store.record(user)?.record
  if (created?.type !== 'user.create') return undefined
  const { userKey } = created.body
  return userKeys.find((secret) => equalBytes(publicKeyOf('x25519', secret), userKey))
}
