/**
 * The keys of private files, as far as this device can open them: as a device of the owner, as one of a user who
 * was granted the file (its metadata), or as a key holder that the owner named.
 *
 * Keys are looked up by version, never by root: somebody else's record may name the same root. Whatever opens
 * metadata is authentic by itself; nothing else decrypts it.
 */
import type { ContentId, DeviceId, FileId, NetworkId, UserId } from '../../chain/ids.ts'
import { deviceIdOf } from '../../chain/ids.ts'
import type { VersionDetails } from '../../chain/record.ts'
import { detailsShape } from '../../chain/record-bodies.ts'
import { equalBytes } from '../../common/bytes.ts'
import type { Clock } from '../../common/clock.ts'
import { KEY_BYTES } from '../../common/crypto.ts'
import { decode, encode } from '../../common/dag-cbor.ts'
import { MAX_RECORD_BYTES } from '../../common/limits.ts'
import { decryptMetadata, encryptMetadata } from '../../common/metadata-cipher.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { VersionRecord } from '../../storage/projections.ts'
import { serviceError } from '../errors.ts'
import { fileError } from '../files/errors.ts'
import type { SealedPart, VersionKeys } from '../files/secrets.ts'
import type { Keyring } from '../people/keyring.ts'
import type { KeyCopies } from './key-copies.ts'
import { openKey, sealKey, sealPurposes } from './seals.ts'

export interface FileKeysComponents {
  readonly store: Pick<ChainStore, 'projections'>
  readonly keyring: Keyring
  readonly copies: KeyCopies
  readonly self: { readonly device: DeviceId; user(): UserId | undefined }
  readonly clock: Pick<Clock, 'randomBytes'>
}

export interface FileKeys {
  /** What a private version says, with the key that opened it; undefined: this device cannot open it. */
  open(
    version: VersionRecord,
  ): Promise<{ readonly details: VersionDetails; readonly key: Uint8Array } | undefined>
  /** 32 bytes, proven by the metadata that it opens. */
  metadataKeyOf(version: VersionRecord): Promise<Uint8Array | undefined>
  /** 32 bytes: of a version of this user's, or of one that this device holds keys of. */
  contentKeyOf(version: VersionRecord): Promise<Uint8Array | undefined>
  /** @throws FILE_SEALED - the version before cannot be opened here */
  newKeys(before: VersionRecord | undefined): Promise<VersionKeys>
  seal(keys: VersionKeys, root: ContentId, details: VersionDetails): Promise<SealedPart>
}

/** A sealed key and what might open it. */
interface Candidate {
  readonly to: Uint8Array
  readonly sealed: Uint8Array
  readonly purpose: Uint8Array
}

/** Metadata keys in memory: one for each file and generation that was looked at. */
const MAX_CACHED = 4096

export function createFileKeys(
  { store, keyring, copies, self, clock }: FileKeysComponents,
  init: { readonly network: NetworkId },
): FileKeys {
  const purposes = sealPurposes(init.network)
  /** By file: a file has few generations, and the next version has most likely the key of the last. */
  const cached = new Map<FileId, Uint8Array>()
  const remember = (file: FileId, key: Uint8Array): void => {
    if (cached.size >= MAX_CACHED) cached.clear()
    cached.set(file, key)
  }

  const decrypted = (version: VersionRecord, key: Uint8Array): VersionDetails | undefined => {
    const { body } = version
    if (body.visibility !== 'private') return undefined
    const bytes = decryptMetadata(key, body.metadata, purposes.metadata(body.root))
    if (bytes === undefined) return undefined
    try {
      return detailsShape.read(decode(bytes, MAX_RECORD_BYTES), 'metadata')
    } catch {
      // Its owner wrote what no program of ours writes: as good as sealed.
      return undefined
    }
  }

  const openCandidate = async ({ to, sealed, purpose }: Candidate) => {
    const secret = equalBytes(to, keyring.device.publicKey)
      ? keyring.device.secret
      : await keyring.secretOf(to)
    return secret === undefined ? undefined : openKey(secret, sealed, purpose)
  }

  /** Where the metadata key of a version may stand sealed to this user or device. */
  const metadataCandidates = function* (
    version: VersionRecord,
    file: FileId,
  ): Generator<Candidate> {
    const { body, identity } = version
    const owner = version.user
    if (body.visibility !== 'private' || owner === null) return
    const purpose = purposes.metadataKey(owner, body.root)
    if (owner === self.user()) {
      yield { to: body.userKey, sealed: body.metadataKey, purpose }
      return
    }
    for (const { grant } of store.projections.grantsOf(file)) {
      const { record } = grant
      if (record.type !== 'grant' || record.body.user !== self.user()) continue
      const { to, metadataKey, user } = record.body
      yield { to, sealed: metadataKey, purpose: purposes.grant(file, user) }
    }
    for (const { copy } of copies.of(owner, identity)) yield { ...copy, purpose }
    for (const entry of heldKeys(file, version)) {
      yield { to: keyring.device.publicKey, sealed: entry.metadataKey, purpose }
    }
  }

  /** The keys of a version that its owner sealed to this device as a key holder. */
  const heldKeys = function* (file: FileId, { identity, user }: VersionRecord) {
    for (const { record } of store.projections.holdersOf(file)) {
      if (record.type !== 'holder.add' || record.user !== user) continue
      if (deviceIdOf(record.body.device) !== self.device) continue
      for (const entry of record.body.keys) if (entry.version === identity) yield entry
    }
  }

  const fileKeys: FileKeys = {
    open: async (version) => {
      const file = store.projections.fileOf(version.identity)
      if (file === undefined || version.body.visibility !== 'private') return undefined
      const known = cached.get(file)
      const details = known === undefined ? undefined : decrypted(version, known)
      if (known !== undefined && details !== undefined) return { details, key: known }
      for (const candidate of metadataCandidates(version, file)) {
        const key = await openCandidate(candidate)
        const found = key === undefined ? undefined : decrypted(version, key)
        if (key === undefined || found === undefined) continue
        remember(file, key)
        return { details: found, key }
      }
      return undefined
    },
    metadataKeyOf: async (version) => (await fileKeys.open(version))?.key,
    contentKeyOf: async (version) => {
      const { body, user } = version
      if (body.visibility !== 'private' || user === null) return undefined
      const purpose = purposes.contentKey(user, body.root)
      if (user === self.user()) {
        return openCandidate({ to: body.userKey, sealed: body.contentKey, purpose })
      }
      const file = store.projections.fileOf(version.identity)
      if (file === undefined) return undefined
      for (const { contentKey } of heldKeys(file, version)) {
        const to = keyring.device.publicKey
        const key = await openCandidate({ to, sealed: contentKey, purpose })
        if (key !== undefined) return key
      }
      return undefined
    },
    newKeys: async (before) => {
      const content = clock.randomBytes(KEY_BYTES)
      if (before === undefined) return { content, metadata: clock.randomBytes(KEY_BYTES) }
      const metadata = await fileKeys.metadataKeyOf(before)
      if (metadata === undefined) throw fileError('FILE_SEALED', { file: before.identity })
      return { content, metadata }
    },
    seal: async (keys, root, details) => {
      const owner = self.user()
      const userKey = keyring.current()
      if (owner === undefined || userKey === undefined) throw serviceError('NOT_ADMITTED')
      return {
        metadata: encryptMetadata(
          keys.metadata,
          encode(detailsShape.write(details) ?? null),
          purposes.metadata(root),
          clock.randomBytes,
        ),
        userKey,
        metadataKey: await sealKey(userKey, keys.metadata, purposes.metadataKey(owner, root)),
        contentKey: await sealKey(userKey, keys.content, purposes.contentKey(owner, root)),
      }
    },
  }
  return fileKeys
}
