/**
 * The data directory: its layout, its lock and its format.
 *
 *   format        version of this layout, one number
 *   lock          held while a node runs · lock.pid: whose it is
 *   cairn.sqlite  chain, state, records, read models (with -wal beside it) · cairn.sqlite.damaged-*: put aside
 *   journal       own records, beside the database
 *   keys/         secrets
 *   content/      bytes of files (blockstore-fs)
 *   config.json   settings · token: of the HTTP API · node.json: of the running node
 */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { utf8 } from '../common/bytes.ts'
import { messageOf } from '../common/errors.ts'
import { makeDirectory, removeTemporaries, writeFileAtomic } from './atomic-file.ts'
import { storageError } from './errors.ts'
import { acquireLock } from './lock.ts'

export interface DataDirectory {
  readonly path: string
  readonly database: string
  readonly journal: string
  readonly keys: string
  readonly content: string
  readonly config: string
  readonly token: string
  readonly node: string
  /** Lets another node open it. Idempotent. */
  release(): void
}

/** Brings the layout from the format before to `format`. It must be safe to run again after a crash. */
export interface LayoutStep {
  readonly format: number
  migrate(path: string): void
}

/** Format 1 is the first; the database has a format of its own (migrations.ts). */
export const LAYOUT_STEPS: readonly LayoutStep[] = [{ format: 1, migrate: () => {} }]

/** Where things are, without opening it: for clients of a running node. */
function layoutOf(path: string): Omit<DataDirectory, 'release'> {
  return {
    path,
    database: join(path, 'cairn.sqlite'),
    journal: join(path, 'journal'),
    keys: join(path, 'keys'),
    content: join(path, 'content'),
    config: join(path, 'config.json'),
    token: join(path, 'token'),
    node: join(path, 'node.json'),
  }
}

/**
 * Makes the directory if need be, locks it and brings it to the newest format.
 *
 * @throws DATA_DIRECTORY_LOCKED, DATA_DIRECTORY_NOT_WRITABLE, DATA_FORMAT_NEWER, DATA_FORMAT_UNREADABLE,
 *   STORAGE_FULL
 */
export function openDataDirectory(
  path: string,
  steps: readonly LayoutStep[] = LAYOUT_STEPS,
): DataDirectory {
  makeDirectory(path)
  try {
    accessSync(path, constants.W_OK)
  } catch (error) {
    throw storageError('DATA_DIRECTORY_NOT_WRITABLE', { path, reason: messageOf(error) }, error)
  }
  const lock = acquireLock(path)
  try {
    removeTemporaries(path)
    migrateLayout(path, steps)
    return { ...layoutOf(path), release: lock.release }
  } catch (error) {
    lock.release()
    throw error
  }
}

function migrateLayout(path: string, steps: readonly LayoutStep[]): void {
  const file = join(path, 'format')
  const known = steps.at(-1)?.format ?? 0
  const found = readFormat(file)
  if (found > known) throw storageError('DATA_FORMAT_NEWER', { path, found, known })
  for (const step of steps) {
    if (step.format <= found) continue
    step.migrate(path)
    writeFileAtomic(file, utf8(`${step.format}\n`), 0o600)
  }
}

/** 0: the directory is new. */
function readFormat(file: string): number {
  if (!existsSync(file)) return 0
  const text = readFileSync(file, 'latin1').trim()
  if (!/^[1-9]\d{0,8}$/.test(text)) throw storageError('DATA_FORMAT_UNREADABLE', { path: file })
  return Number(text)
}
