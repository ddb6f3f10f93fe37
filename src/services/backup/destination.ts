/**
 * Where backups are kept: a folder, a database, object storage, an IPFS pinning service. All of them keep named
 * objects of bytes and know nothing of what is in them; one acceptance suite runs against all.
 */

export type DestinationKind = 'folder' | 'postgres' | 's3' | 'gcs' | 'ipfs'

/** What a destination says of an object. */
export interface StoredObject {
  /** As it was given to `put`: letters, digits, `-`, `_`, `.` and `/`, at most 200. */
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Milliseconds UTC. */
  readonly stored: number
}

export interface PutOptions {
  readonly signal: AbortSignal
  /** Words for people who look at the destination itself: what this is, how large, how many blocks. */
  readonly label?: string
  /** Who asked for it: a number that an administrator gave. */
  readonly by?: number
  /** Told where IPFS has it, by a destination that is there: a CID, or `CID/file`; and what shows it in a browser. */
  readonly onPlace?: (place: string, link: string) => void
}

export interface Destination {
  readonly kind: DestinationKind
  /** Tells destinations of one kind apart, for people and in logs; never a secret. */
  readonly name: string
  /**
   * Stores an object, whole or not at all, durable when it resolves; overwrites one of the same name.
   *
   * @throws DESTINATION_UNREACHABLE, DESTINATION_REFUSED (credentials, permission), DESTINATION_FULL,
   *   DESTINATION_TOO_LARGE, the signal's reason
   */
  put(name: string, bytes: Uint8Array, options: PutOptions): Promise<void>
  /**
   * The bytes as the destination has them now, not from a cache.
   *
   * @param maxBytes - that it may have; default: as much as any object
   * @throws also OBJECT_NOT_FOUND; DESTINATION_FAILED: it is larger
   */
  get(name: string, signal: AbortSignal, maxBytes?: number): Promise<Uint8Array>
  /** Objects whose name begins so; newest last. What else stands there, under names that are none, is passed over. */
  list(prefix: string, signal: AbortSignal): Promise<readonly StoredObject[]>
  /** Idempotent. */
  remove(name: string, signal: AbortSignal): Promise<void>
  /** Lets connections go. Idempotent. */
  close(): Promise<void>
}
