/** What `add` and `update` read: files, folders, standard input. */
import { constants, createReadStream, openSync } from 'node:fs'
import { lstat, open, readdir, stat } from 'node:fs/promises'
import { Socket } from 'node:net'
import { basename, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { codeOf } from '../../common/errors.ts'
import { interfaceError } from '../errors.ts'

/** Standard input, as a path. */
export const STDIN = '-'
/** Bytes read at a time: of large files, and at least. */
const CHUNK_BYTES = 1024 * 1024
const SMALL_CHUNK_BYTES = 16 * 1024

export interface Source {
  /** As it was given, or found below a given folder. */
  readonly path: string
  readonly name: string
  readonly folder: readonly string[]
  /** Null: not known in advance. */
  readonly size: number | null
}

/**
 * The files that `paths` name. Folders need `recursive`; the files in them keep their place below the
 * folder, whose own name comes first. Links inside folders are not followed.
 *
 * @param skipped - told of what is neither file nor folder
 * @throws SOURCE_UNREADABLE, SOURCE_IS_FOLDER
 */
export async function* findSources(
  paths: readonly string[],
  { recursive, skipped }: { recursive: boolean; skipped: (path: string) => void },
): AsyncGenerator<Source> {
  for (const path of paths) {
    if (path === STDIN) {
      yield { path, name: '', folder: [], size: null }
      continue
    }
    const found = await stat(path).catch((error: unknown) => {
      throw unreadable(path, error)
    })
    const name = basename(resolve(path))
    if (!found.isDirectory())
      yield { path, name, folder: [], size: found.isFile() ? found.size : null }
    else if (recursive) yield* below(path, name === '' ? [] : [name], skipped)
    else throw interfaceError('SOURCE_IS_FOLDER', { path })
  }
}

async function* below(
  path: string,
  folder: readonly string[],
  skipped: (path: string) => void,
): AsyncGenerator<Source> {
  const names = await readdir(path).catch((error: unknown) => {
    throw unreadable(path, error)
  })
  for (const name of names.sort()) {
    const inner = join(path, name)
    // Gone since, or of a name that is not text: as the other files that cannot be read, it fails alone.
    const found = await lstat(inner).catch(() => undefined)
    if (found === undefined) yield { path: inner, name, folder, size: null }
    else if (found.isDirectory()) yield* below(inner, [...folder, name], skipped)
    else if (found.isFile()) yield { path: inner, name, folder, size: found.size }
    else skipped(inner)
  }
}

/** The bytes of a source. The stream fails with SOURCE_CHANGED when the file changes meanwhile. */
export function readSource(path: string): Readable {
  if (path === STDIN) return Readable.from(process.stdin, { objectMode: false })
  return Readable.from(steadyBytes(path), { objectMode: false, highWaterMark: CHUNK_BYTES })
}

/**
 * A pipe, opened without waiting for who writes to it: a thread that waits in the system's call could not be
 * interrupted, and would keep the process.
 */
async function* pipeBytes(path: string): AsyncGenerator<Buffer> {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    throw unreadable(path, error)
  }
  yield* new Socket({ fd, readable: true, writable: false }) as AsyncIterable<Buffer>
}

async function* steadyBytes(path: string): AsyncGenerator<Buffer> {
  if ((await stat(path).catch(() => undefined))?.isFIFO() === true) return yield* pipeBytes(path)
  const file = await open(path, 'r').catch((error: unknown) => {
    throw unreadable(path, error)
  })
  try {
    const before = await file.stat({ bigint: true })
    // One more than it has: the end is then seen with the last bytes.
    const chunk = Math.min(CHUNK_BYTES, Math.max(SMALL_CHUNK_BYTES, Number(before.size) + 1))
    const bytes = createReadStream('', { fd: file, autoClose: false, highWaterMark: chunk })
    let read = 0n
    for await (const chunk of bytes as AsyncIterable<Buffer>) {
      read += BigInt(chunk.length)
      yield chunk
    }
    const after = await file.stat({ bigint: true })
    const same = before.size === after.size && before.mtimeNs === after.mtimeNs
    // Pipes and devices have no size; for files the end of the upload waits for this.
    if (before.isFile() && !(same && read === after.size))
      throw interfaceError('SOURCE_CHANGED', { path })
  } finally {
    await file.close()
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is nothing of that name',
  EACCES: 'its permissions do not allow it',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is no folder',
  ELOOP: 'its links go in circles',
}

function unreadable(path: string, error: unknown): Error {
  const code = codeOf(error)
  // Node puts U+FFFD for bytes that are not UTF-8, and then asks the system for a name that is not there.
  const why =
    code === 'ENOENT' && path.includes('\ufffd')
      ? 'its name is not valid UTF-8; rename it first'
      : (REASONS[code] ?? code)
  return interfaceError('SOURCE_UNREADABLE', { path, why }, error)
}
