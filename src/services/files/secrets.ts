/** What the file verbs ask of whoever keeps the keys of private files. */
import type { ContentId, VersionId } from '../../chain/ids.ts'
import type { RecordBody, VersionDetails } from '../../chain/record.ts'
import type { VersionRecord } from '../../storage/projections.ts'

/** 32 bytes each. */
export interface VersionKeys {
  /** Of this version alone: opens its bytes. */
  readonly content: Uint8Array
  /** Of the file and its generation: opens name, type, size and hash. */
  readonly metadata: Uint8Array
}

type PrivateBody = Extract<RecordBody<'file.add'>, { visibility: 'private' }>
/** The part of a private version's record that keys are needed for. */
export type SealedPart = Pick<PrivateBody, 'metadata' | 'userKey' | 'metadataKey' | 'contentKey'>

/** A version of somebody's, whose bytes are wanted. */
export interface ReadableVersion {
  readonly version: VersionId
  readonly record: VersionRecord
}

/** Told while a reader has to wait, once for each change of what it waits for. */
export interface ReadingWait {
  readonly for: 'confirmation' | 'key-holder'
  /** Names of the devices that could give the key. */
  readonly holders: readonly string[]
}

export interface ReadingWork {
  readonly signal: AbortSignal
  readonly onWait?: (wait: ReadingWait) => void
}

export interface FileSecrets {
  /**
   * Keys for a new version: a new content key, and the metadata key of the version that it follows.
   *
   * @param before - missing: the file, or a new generation of it, begins
   * @throws KEYS_NOT_HERE - this device cannot open the version before
   */
  newKeys(before: VersionRecord | undefined): Promise<VersionKeys>
  seal(keys: VersionKeys, root: ContentId, details: VersionDetails): Promise<SealedPart>
  /**
   * Says on the chain that this user reads a version of somebody else's, and waits for what the rules say of it.
   * Does nothing for one's own.
   *
   * @throws ACCESS_DENIED, and the signal's reason
   */
  requestAccess(wanted: ReadableVersion, work: ReadingWork): Promise<void>
  /**
   * The key of a version's bytes: from its record, or released by a key holder for an access.
   *
   * @throws KEYS_NOT_HERE, ACCESS_DENIED, KEY_HOLDER_AWAY, and the signal's reason
   */
  contentKey(wanted: ReadableVersion, work: ReadingWork): Promise<Uint8Array>
}
