/** What is told of backups: at a glance, in figures and in words. Sizes are bytes, times milliseconds UTC. */
import type { DestinationKind } from './destination.ts'

export interface DestinationStatus {
  readonly destination: string
  readonly kind: DestinationKind
  /** The newest backup that is known there. */
  readonly newest: {
    readonly name: string
    readonly time: number
    readonly size: number | null
  } | null
  readonly lastError: {
    readonly code: string
    readonly message: string
    readonly time: number
  } | null
  /** Failures since the last success. */
  readonly failures: number
  /** Whether something here is not there yet. */
  readonly behind: boolean
  /** When it was last read and compared; `code` says what was wrong. */
  readonly verified: { readonly time: number; readonly code: string | null } | null
  /** When it was last restored for practice, and the name of the device that did it, where that was another one. */
  readonly drilled: {
    readonly time: number
    readonly code: string | null
    readonly by: string | null
  } | null
  /** What stands there, as far as it was looked at. */
  readonly stored: {
    readonly backups: number
    readonly bytes: number
    /** Of the bytes for each backup. */
    readonly average: number
    readonly seen: number
    /** Of the newest there, by the clock of whoever wrote it; 0: there is none. */
    readonly newest: number
  } | null
  /** The contents of files; null: they are not sent there. */
  readonly contents: {
    /** Files that are there whole, the objects that they are in, and the bytes of these. */
    readonly files: number
    readonly objects: number
    readonly bytes: number
    /** What is here and not there yet; null: it is not known yet. */
    readonly waiting: { readonly files: number; readonly bytes: number } | null
    /** Bytes sent since the start. */
    readonly sent: number
    readonly lastError: DestinationStatus['lastError']
  } | null
  /** Since the start. */
  readonly written: { readonly backups: number; readonly bytes: number }
  /** US dollars a month, by the table of prices; an estimate. */
  readonly monthly: number | null
}

/** Contents of files at a destination. */
export interface ContentsView extends NonNullable<DestinationStatus['contents']> {
  readonly destination: string
}

export interface BackupsStatus {
  /** Whether there is any destination. */
  readonly configured: boolean
  /** What a person should read, loudest first. */
  readonly warnings: readonly string[]
  /** Destinations that are configured by half or do not open. */
  readonly faults: readonly { readonly code: string; readonly message: string }[]
  /** What opens the backups on this device: everything is derived from the kit; with `none` they can only be written. */
  readonly key: 'kit' | 'key' | 'none'
  /** Whether a passphrase was set from here at all of them. */
  readonly passphrase: boolean
  /** Contents of files that came back from backups since the start; null: backups are off. */
  readonly returned: {
    /** Whether more is being read. */
    readonly running: boolean
    readonly files: number
    readonly bytes: number
    /** Files that the backups have not whole. */
    readonly missing: number
  } | null
  readonly destinations: readonly DestinationStatus[]
}

/** Addresses of other devices that a backup keeps. */
export const MAX_PEERS = 16

/** Where nothing else keeps what is here. */
export const NOT_CONFIGURED =
  'BACKUPS NOT CONFIGURED – everything is on this disk alone, and lost with it where a deploy wipes the disk. ACTION REQUIRED: set DATABASE_URL, R2_…, S3_…, GCS_BUCKET_NAME, PINATA_JWT or CAIRN_BACKUP_FOLDER (a second disk), and start again; see docs/OPERATIONS.md.'
