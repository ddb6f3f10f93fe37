/**
 * For whom a user's backups are encrypted, as the recovery kit itself says it: so that a device of the user
 * without the kit writes backups too, and nobody can make it write them for somebody else.
 *
 * It stands in a `key.copy`. A copy whose `to` is the user's recovery key, which seals nothing, carries a signature of
 * that key over the public half of the backup key and over a check of `root`, with which a backup says whose it is
 * (services/backup/person.ts). `root` itself is sealed to a key of the user. See docs/PROTOCOL.md, 4.3.
 */
import type { NetworkId, UserId } from '../../chain/ids.ts'
import type { RecordBody, SignedRecord } from '../../chain/record.ts'
import { concatBytes, equalBytes, utf8 } from '../../common/bytes.ts'
import {
  publicKeyOf,
  SIGNATURE_BYTES,
  sha256,
  signEd25519,
  verifyEd25519,
} from '../../common/crypto.ts'
import { type CborValue, encode, linkTo } from '../../common/dag-cbor.ts'
import { backupRoot, recoveryKeys } from '../../common/recovery-keys.ts'
import { openKey, sealKey, sealPurposes } from '../access/seals.ts'

const DOMAIN = 'cairn/backup-key/1'
/** Of SHA-256(root), what fits beside the signature. */
const CHECK_BYTES = 16

type Copy = RecordBody<'key.copy'>['copies'][number]
type UserCopy = Extract<Copy, { type: 'user' }>

/** The backup key of a user, vouched for by the recovery key. */
export interface VouchedKey {
  /** X25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array
  /** What backups say whose they are with; undefined: the key that it is sealed to is not here. */
  readonly root: Uint8Array | undefined
}

/** Whose records are looked at. */
interface About {
  readonly network: NetworkId
  readonly user: UserId
}

/** What a device with the kit states. @param userKey - X25519 public key of the user, whose secret all devices have */
export async function vouchBackupKey(
  { network, user }: About,
  { kit, userKey }: { readonly kit: Uint8Array; readonly userKey: Uint8Array },
): Promise<readonly Copy[]> {
  const { signing, backup } = recoveryKeys(kit)
  const key = publicKeyOf('x25519', backup)
  const root = backupRoot(backup, network, user)
  const check = checkOf(root)
  const signature = signEd25519(signing, messageOf({ network, user }, key, check))
  const to = publicKeyOf('ed25519', signing)
  const sealed = await sealKey(userKey, root, sealPurposes(network).backupRoot(key))
  return [
    { type: 'user', key, to, sealed: concatBytes([signature, check]) },
    { type: 'user', key, to: userKey, sealed },
  ]
}

/**
 * The backup key of a user, where the recovery kit has vouched for one; whoever passed that on.
 *
 * @param records - those about people
 * @param secrets - X25519 secrets of the user's keys that are here
 */
export async function findBackupKey(
  records: readonly SignedRecord[],
  about: About,
  secrets: readonly Uint8Array[],
): Promise<VouchedKey | undefined> {
  const copies = records.flatMap((record) =>
    record.type === 'key.copy' && record.user === about.user
      ? record.body.copies.filter((copy): copy is UserCopy => copy.type === 'user')
      : [],
  )
  const recoveryKey = recoveryKeyOf(records, about.user)
  if (recoveryKey === undefined) return undefined
  const vouched = copies.find(
    ({ key, to, sealed }) =>
      equalBytes(to, recoveryKey) &&
      verifyEd25519(
        recoveryKey,
        messageOf(about, key, sealed.subarray(SIGNATURE_BYTES)),
        sealed.subarray(0, SIGNATURE_BYTES),
      ),
  )
  if (vouched === undefined) return undefined
  const { key } = vouched
  const check = vouched.sealed.subarray(SIGNATURE_BYTES)
  const purpose = sealPurposes(about.network).backupRoot(key)
  const sealed = copies.filter((copy) => copy !== vouched && equalBytes(copy.key, key))
  for (const secret of secrets) {
    const own = publicKeyOf('x25519', secret)
    for (const copy of sealed) {
      if (!equalBytes(copy.to, own)) continue
      const root = await openKey(secret, copy.sealed, purpose)
      if (root !== undefined && equalBytes(checkOf(root), check)) return { publicKey: key, root }
    }
  }
  return { publicKey: key, root: undefined }
}

function recoveryKeyOf(records: readonly SignedRecord[], user: UserId): Uint8Array | undefined {
  for (const record of records) {
    if (record.type === 'user.create' && record.identity === user) return record.body.recoveryKey
  }
  return undefined
}

function checkOf(root: Uint8Array): Uint8Array {
  return sha256(root).subarray(0, CHECK_BYTES)
}

function messageOf({ network, user }: About, key: Uint8Array, check: Uint8Array): Uint8Array {
  const said = { network: linkTo(network), user: linkTo(user), key, check }
  return concatBytes([utf8(DOMAIN), encode(said as CborValue)])
}
