/** Manifests that anybody can make who may write to a destination: the signatures hold, the admission does not. */
import { signRecord } from '../../../src/chain/codec.ts'
import { deviceIdOf } from '../../../src/chain/ids.ts'
import { publicKeyOf, signEd25519 } from '../../../src/common/crypto.ts'
import {
  type Manifest,
  signManifest,
  type UnsignedManifest,
  workBytes,
} from '../../../src/services/backup/manifest.ts'
import { seedOf } from '../chain-node.ts'

/** As much work as can be claimed. */
export const ALL_WORK: Uint8Array = workBytes(2n ** 255n)

/** @param by - whose key; each has a folder of its own */
export function forgedManifest(
  real: Manifest,
  by: string,
  change: Partial<UnsignedManifest> = {},
): Manifest {
  const { signature: _, object: __, bytes: ___, work: ____, ...unsigned } = real
  const seed = seedOf(by)
  const device = publicKeyOf('ed25519', seed)
  const sign = (message: Uint8Array): Uint8Array => signEd25519(seed, message)
  const admission = signRecord(
    {
      type: 'device.add',
      network: real.network,
      user: real.user,
      device: deviceIdOf(device),
      sequence: 0,
      previous: null,
      seen: real.tip,
      time: 1,
      body: {
        name: by,
        encryptionKey: seedOf('x'),
        proof: { type: 'restore', signature: new Uint8Array(64) },
      },
    },
    sign,
  )
  return signManifest({ ...unsigned, ...change, device, admission: admission.bytes }, sign)
}
