/** The secrets of this device and its user, and what the chain is told of them. */
import { type DeviceId, deviceIdOf } from '../chain/ids.ts'
import type { NetworkParams } from '../chain/params.ts'
import type { Statement } from '../chain/record.ts'
import { equalBytes } from '../common/bytes.ts'
import { publicKeyOf, signEd25519 } from '../common/crypto.ts'
import type { Signer } from '../services/chain/own-records.ts'
import { KEY_NAMES, type Keystore } from '../storage/keystore.ts'

export interface NodeIdentity {
  readonly device: DeviceId
  /** Ed25519 secret of the device, 32 bytes; also the key of its libp2p host. */
  readonly keySeed: Uint8Array
  readonly signer: Signer
  /** This device's admission as a new user. */
  admission(names: { user: string; device: string }, params: NetworkParams): Statement
}

/** Reads the secrets, and makes those that a first start needs. */
export function openIdentity(keystore: Keystore): NodeIdentity {
  keystore.ensure(KEY_NAMES)
  const keySeed = keystore.require('device')
  const publicKey = publicKeyOf('ed25519', keySeed)
  const device = deviceIdOf(publicKey)
  return {
    device,
    keySeed,
    signer: { device, sign: (message) => signEd25519(keySeed, message) },
    admission: (names, params) => ({
      type: 'user.create',
      body: {
        name: names.user,
        deviceName: names.device,
        encryptionKey: publicKeyOf('x25519', keystore.require('device-encryption')),
        userKey: publicKeyOf('x25519', keystore.require('user')),
        recoveryKey: publicKeyOf('ed25519', keystore.require('recovery')),
        restoreKey: publicKeyOf('ed25519', keystore.require('restore')),
        proof: { type: equalBytes(params.founder, publicKey) ? 'founder' : 'open' },
      },
    }),
  }
}
