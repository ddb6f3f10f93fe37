/**
 * What keys are sealed to and bound to: a key that was sealed for one purpose, network, person or file opens for
 * no other. HPKE (common/hpke.ts); the text is its `info`.
 */
import type { ContentId, FileId, NetworkId, RecordId, UserId } from '../../chain/ids.ts'
import { toHex, utf8 } from '../../common/bytes.ts'
import { KEY_BYTES } from '../../common/crypto.ts'
import { codeOf } from '../../common/errors.ts'
import { openSealed, sealTo } from '../../common/hpke.ts'

/** Texts that a sealed key is bound to. */
export type SealPurpose = Uint8Array

export interface SealPurposes {
  /** The secret of a user's key, for a device, the recovery kit, or a later key of the same user. */
  userKey(publicKey: Uint8Array): SealPurpose
  /** What a user's backups say whose they are with, under the public half of their key. */
  backupRoot(backupKey: Uint8Array): SealPurpose
  /** The metadata key and the content key of a version: its ciphertext's root is nobody else's. */
  metadataKey(owner: UserId, root: ContentId): SealPurpose
  contentKey(owner: UserId, root: ContentId): SealPurpose
  /** The metadata key of a file, for a user who is granted it. */
  grant(file: FileId, user: UserId): SealPurpose
  /** The content key, for the device that made the access. */
  release(access: RecordId): SealPurpose
  /** What encrypted metadata is bound to; no seal, but the same kind of text. */
  metadata(root: ContentId): SealPurpose
}

export function sealPurposes(network: NetworkId): SealPurposes {
  const purpose = (name: string, ...parts: string[]): SealPurpose =>
    utf8([`cairn/${name}/1`, network, ...parts].join(' '))
  return {
    userKey: (publicKey) => purpose('seal-user', toHex(publicKey)),
    backupRoot: (backupKey) => purpose('seal-backup-root', toHex(backupKey)),
    metadataKey: (owner, root) => purpose('seal-metadata', owner, root),
    contentKey: (owner, root) => purpose('seal-content', owner, root),
    grant: (file, user) => purpose('grant', file, user),
    release: (access) => purpose('release', access),
    metadata: (root) => purpose('metadata', root),
  }
}

/** Seals a key of 32 bytes to an X25519 public key: 80 bytes. @throws SEAL_KEY */
export function sealKey(to: Uint8Array, key: Uint8Array, info: SealPurpose): Promise<Uint8Array> {
  return sealTo(to, key, { info })
}

/** The key; undefined: it was sealed to another key or for another purpose, changed, or is no key. */
export async function openKey(
  secret: Uint8Array,
  sealed: Uint8Array,
  info: SealPurpose,
): Promise<Uint8Array | undefined> {
  try {
    const key = await openSealed(secret, sealed, { info })
    return key.length === KEY_BYTES ? key : undefined
  } catch (error) {
    if (codeOf(error) === 'SEAL_BROKEN') return undefined
    throw error
  }
}
