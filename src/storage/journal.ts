/**
 * The journal of own records: append-only, beside the database, so that a damaged database loses no record and
 * reuses no sequence.
 *
 * Frame: `CJ1\n`, u32 length of the payload (big-endian), SHA-256 of length and payload, payload. A torn tail is
 * cut when the journal is opened; damage in the middle is left as it is, reported and skipped.
 */
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { equalBytes, utf8 } from '../common/bytes.ts'
import { HASH_BYTES, sha256 } from '../common/crypto.ts'
import { assert } from '../common/errors.ts'
import { MAX_RECORD_BYTES, MIB } from '../common/limits.ts'
import type { Logger } from '../common/logger.ts'
import { flushDirectory } from './atomic-file.ts'
import { translated } from './errors.ts'

const MAGIC = utf8('CJ1\n')
const LENGTH_AT = MAGIC.length
const HASH_AT = LENGTH_AT + 4
const PAYLOAD_AT = HASH_AT + HASH_BYTES
/** Bytes that are read at a time: many frames, and more than the largest one. */
const WINDOW_BYTES = MIB

export interface Journal {
  /**
   * On the disk when this returns; when it throws, the journal is as before.
   *
   * @throws STORAGE_FULL, STORAGE_FAILED
   */
  append(...entries: Uint8Array[]): void
  /** Every whole entry, oldest first; read from the disk as the caller goes. */
  entries(): Iterable<Uint8Array>
  /** Every whole entry at once. */
  read(): Uint8Array[]
  /** Bytes that were neither whole entries nor a torn tail when it was opened. */
  readonly damagedBytes: number
  /** Bytes of a torn tail that were cut when it was opened. */
  readonly cutBytes: number
  /** Idempotent. */
  close(): void
}

/** What reaches the file, so that a test can fill the disk. */
export interface JournalDisk {
  readonly write: (
    file: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    at: number,
  ) => number
  readonly flush: (file: number) => void
}

const realDisk: JournalDisk = { write: writeSync, flush: fdatasyncSync }

/** @throws DATA_DIRECTORY_NOT_WRITABLE, STORAGE_FULL, STORAGE_FAILED */
export function openJournal(
  path: string,
  { logger, disk = realDisk }: { logger: Logger; disk?: JournalDisk },
): Journal {
  const guard = <T>(run: () => T): T => {
    try {
      return run()
    } catch (error) {
      throw translated(error, path)
    }
  }
  const file = guard(() => openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600))
  let open = true
  let end = 0
  let damagedBytes = 0
  let cutBytes = 0
  const cut = (): void => {
    ftruncateSync(file, end)
    disk.flush(file)
  }

  try {
    guard(() => {
      flushDirectory(dirname(path))
      const size = fstatSync(file).size
      for (const frame of frames(file, size)) {
        damagedBytes += frame.at - end
        end = frame.end
      }
      cutBytes = size - end
      if (cutBytes > 0) cut()
    })
  } catch (error) {
    closeSync(file)
    throw error
  }
  if (damagedBytes > 0) logger.error('The journal is damaged', { path, bytes: damagedBytes })
  if (cutBytes > 0) {
    logger.warn('The journal ended in the middle of an entry, which was never acknowledged', {
      bytes: cutBytes,
    })
  }

  return {
    damagedBytes,
    cutBytes,
    append: (...entries) => {
      const bytes = Buffer.concat(entries.map(frameOf))
      try {
        for (let done = 0; done < bytes.length; ) {
          done += disk.write(file, bytes, done, bytes.length - done, end + done)
        }
        disk.flush(file)
      } catch (error) {
        // What was written of it must not stand before the next entry.
        try {
          cut()
        } catch {
          // The next entry is written over it, and a torn tail is cut at the next start.
        }
        throw translated(error, path)
      }
      end += bytes.length
    },
    *entries() {
      for (const frame of frames(file, end)) yield frame.payload
    },
    read: () => Array.from(frames(file, end), (frame) => frame.payload),
    close: () => {
      if (open) closeSync(file)
      open = false
    },
  }
}

function frameOf(payload: Uint8Array): Buffer {
  assert(payload.length <= MAX_RECORD_BYTES, 'an entry of the journal is at most a record')
  const frame = Buffer.alloc(PAYLOAD_AT + payload.length)
  frame.set(MAGIC)
  frame.writeUInt32BE(payload.length, LENGTH_AT)
  frame.set(payload, PAYLOAD_AT)
  frame.set(checksum(frame), HASH_AT)
  return frame
}

/** Of a whole frame: over length and payload. */
function checksum(frame: Buffer): Uint8Array {
  return sha256(Buffer.concat([frame.subarray(LENGTH_AT, HASH_AT), frame.subarray(PAYLOAD_AT)]))
}

/** The whole frames of a file; bytes between them that are none are skipped. */
function* frames(
  file: number,
  size: number,
): Generator<{ at: number; end: number; payload: Uint8Array }> {
  let window = Buffer.alloc(0)
  let start = 0
  /** At most `length` bytes from `at`. */
  const view = (at: number, length: number): Buffer => {
    if (at < start || at + length > start + window.length) {
      const buffer = Buffer.allocUnsafe(Math.min(WINDOW_BYTES, size - at))
      window = buffer.subarray(0, readSync(file, buffer, 0, buffer.length, at))
      start = at
    }
    return window.subarray(at - start, at - start + length)
  }
  let at = 0
  while (at < size) {
    const head = view(at, PAYLOAD_AT)
    const isHead = head.length === PAYLOAD_AT && equalBytes(head.subarray(0, LENGTH_AT), MAGIC)
    const length = isHead ? head.readUInt32BE(LENGTH_AT) : 0
    if (isHead && length <= MAX_RECORD_BYTES) {
      const frame = view(at, PAYLOAD_AT + length)
      const whole = frame.length === PAYLOAD_AT + length
      if (whole && equalBytes(checksum(frame), frame.subarray(HASH_AT, PAYLOAD_AT))) {
        yield { at, end: at + frame.length, payload: Uint8Array.from(frame.subarray(PAYLOAD_AT)) }
        at += frame.length
        continue
      }
    }
    // Not a frame: on to the next byte that could begin one.
    const rest = view(at + 1, Math.min(WINDOW_BYTES, size - at - 1))
    if (rest.length < MAGIC.length) return
    const next = rest.indexOf(MAGIC)
    at += 1 + (next === -1 ? rest.length - MAGIC.length + 1 : next)
  }
}
