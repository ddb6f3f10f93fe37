/** The node's log: a file of bounded size, and the one before it. */
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { makeDirectory } from '../storage/atomic-file.ts'

/** Bytes of a log before it becomes the old one: months of a quiet node. */
const MAX_LOG_BYTES = 10_000_000

export interface LogFile {
  readonly path: string
  write(line: string): void
  close(): void
}

/** `<data>/logs/cairn.log`, appended to; `cairn.log.1` is the one before. */
export function openLogFile(dataDir: string, maxBytes: number = MAX_LOG_BYTES): LogFile {
  const folder = join(dataDir, 'logs')
  makeDirectory(folder)
  const path = join(folder, 'cairn.log')
  let file = openSync(path, 'a', 0o600)
  let size = fstatSync(file).size
  let closed = false
  return {
    path,
    write: (line) => {
      if (closed) return
      try {
        if (size > maxBytes) {
          closeSync(file)
          renameSync(path, `${path}.1`)
          file = openSync(path, 'a', 0o600)
          size = 0
        }
        size += writeSync(file, `${line}\n`)
      } catch {
        // A full disk must not stop the node for its log's sake.
      }
    },
    close: () => {
      if (!closed) closeSync(file)
      closed = true
    },
  }
}
