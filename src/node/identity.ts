/** The secrets of this device and its user, as far as they are here, and what the chain is told of them. */
import { type DeviceId, deviceIdOf, type NetworkId } from '../chain/ids.ts'
import { type NetworkParams, networkIdOf } from '../chain/params.ts'
import type { RecordBody, Statement } from '../chain/record.ts'
import { equalBytes } from '../common/bytes.ts'
import { publicKeyOf, signEd25519 } from '../common/crypto.ts'
import { recoveryKeys } from '../common/recovery-keys.ts'
import { sealKey, sealPurposes } from '../services/access/seals.ts'
import type { Signer } from '../services/chain/own-records.ts'
import type { KeyringComponents } from '../services/people/keyring.ts'
import type { KeyName, Keystore } from '../storage/keystore.ts'

/** Names of a first start. */
export interface Names {
  readonly user: string
  readonly device: string
}

export interface NodeIdentity {
  readonly device: DeviceId
  /** Ed25519 secret of the device, 32 bytes; also the key of its libp2p host. */
  readonly keySeed: Uint8Array
  readonly signer: Signer
  /** X25519 public key of the device. */
  readonly encryptionKey: Uint8Array
  /** X25519 secrets: the device's, and the user's and the recovery kit's where they are here. */
  readonly secrets: KeyringComponents['secrets']
  /** The 32 bytes of the recovery kit, where it is here. */
  recoverySecret(): Uint8Array | undefined
  /** What a `user.create` of this device says beside its proof; only where the user's secrets were made. */
  person(names: Names, network: NetworkId): Promise<Omit<RecordBody<'user.create'>, 'proof'>>
  /**
   * This device's admission as a new user, where nobody has to invite it: undefined when it belongs to a user
   * whose secrets were made elsewhere, or when the network wants an invite.
   */
  admission(names: Names, params: NetworkParams): Promise<Statement | undefined>
}

/** What every device has; the others are its user's, made where the user was. */
export const DEVICE_KEYS: readonly KeyName[] = ['device', 'device-encryption']
/** What a new user is made with, the device's included. */
export const FIRST_KEYS: readonly KeyName[] = [...DEVICE_KEYS, 'user', 'recovery', 'restore']

/**
 * Reads the secrets. Where there are none yet, makes those of a device and a new user.
 *
 * @throws KEYSTORE_DAMAGED
 */
export function openIdentity(keystore: Keystore): NodeIdentity {
  const complete = keystore.complete()
  // A device that was added to a user has no user's secrets, and must not make some up.
  if (!complete.includes('device')) keystore.ensure(FIRST_KEYS)
  for (const name of complete) keystore.require(name)
  return identityOf(keystore)
}

/** The identity of a device whose secrets are there. */
export function identityOf(keystore: Keystore): NodeIdentity {
  const keySeed = keystore.require('device')
  const publicKey = publicKeyOf('ed25519', keySeed)
  const device = deviceIdOf(publicKey)
  const encryptionKey = publicKeyOf('x25519', keystore.require('device-encryption'))
  const kit = keystore.get('recovery')
  const person: NodeIdentity['person'] = async (names, network) => {
    const secret = keystore.require('user')
    const userKey = publicKeyOf('x25519', secret)
    const { signing, encryption } = recoveryKeys(keystore.require('recovery'))
    const to = publicKeyOf('x25519', encryption)
    const sealed = await sealKey(to, secret, sealPurposes(network).userKey(userKey))
    return {
      name: names.user,
      deviceName: names.device,
      encryptionKey,
      userKey,
      recoveryKey: publicKeyOf('ed25519', signing),
      recovery: { to, sealed },
      restoreKey: publicKeyOf('ed25519', keystore.require('restore')),
    }
  }
  return {
    device,
    keySeed,
    signer: { device, sign: (message) => signEd25519(keySeed, message) },
    encryptionKey,
    secrets: {
      device: keystore.require('device-encryption'),
      user: keystore.get('user'),
      recovery: kit === undefined ? undefined : recoveryKeys(kit).encryption,
    },
    recoverySecret: () => keystore.get('recovery'),
    person,
    admission: async (names, params) => {
      const founds = equalBytes(params.founder, publicKey)
      if (keystore.get('user') === undefined) return undefined
      if (!founds && params.admission === 'invite') return undefined
      const proof = { type: founds ? 'founder' : 'open' } as const
      return { type: 'user.create', body: { ...(await person(names, networkIdOf(params))), proof } }
    },
  }
}
