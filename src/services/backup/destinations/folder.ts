/**
 * Backups in a folder: a second disk, a mounted volume, a share. An object is a file of its name below the folder.
 *
 * An object is written under a temporary name, flushed, renamed, and the directories are flushed: a power cut
 * leaves the old object or the new one. Everything is asynchronous, so that a share that hangs does not hold the
 * node.
 */
import { constants } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import type { Clock } from '../../../common/clock.ts'
import { codeOf, messageOf } from '../../../common/errors.ts'
import type { Destination, StoredObject } from '../destination.ts'
import { backupError } from '../errors.ts'
import { isObjectName, objectName } from '../object-name.ts'
import { MAX_OBJECT_BYTES, malformed, mustEnd } from './answers.ts'

const TEMPORARY = '.tmp-'
const OWNER_ONLY = 0o600
/** Milliseconds after which a temporary file is nobody's: its writer was killed. */
const ABANDONED_MS = 86_400_000

export interface FolderInit {
  /** Made when it is missing, for its owner alone. */
  readonly path: string
  /** For logs; default: the path. */
  readonly name?: string
}

export function createFolderDestination(
  components: { readonly clock: Pick<Clock, 'now' | 'randomBytes'> },
  { path: folder, name: destination = folder }: FolderInit,
): Destination {
  const { clock } = components
  const fileOf = (name: string): string => join(folder, ...objectName(name).split('/'))
  const failed = (error: unknown, name = ''): unknown => translated(error, destination, name)

  return {
    kind: 'folder',
    name: destination,
    put: async (name, bytes, { signal }) => {
      signal.throwIfAborted()
      const file = fileOf(name)
      const random = Buffer.from(clock.randomBytes(8)).toString('hex')
      const temporary = join(dirname(file), `${TEMPORARY}${random}`)
      try {
        const made = await mkdir(dirname(file), { recursive: true, mode: 0o700 })
        await writeFlushed(temporary, bytes, signal)
        signal.throwIfAborted()
        await rename(temporary, file)
        await flushUpTo(made === undefined ? dirname(file) : dirname(made), dirname(file))
      } catch (error) {
        await rm(temporary, { force: true }).catch(() => {})
        if (signal.aborted) throw signal.reason
        throw failed(error, name)
      }
    },
    get: async (name, signal, maxBytes = MAX_OBJECT_BYTES) => {
      signal.throwIfAborted()
      const tooLarge = (): Error =>
        malformed(destination, `${name} has more than ${maxBytes} bytes`)
      try {
        return await readBounded(fileOf(name), { maxBytes, tooLarge, signal })
      } catch (error) {
        if (signal.aborted) throw signal.reason
        throw failed(error, name)
      }
    },
    list: async (prefix, signal) => {
      const found: StoredObject[] = []
      for await (const file of files(folder, prefix)) {
        signal.throwIfAborted()
        const name = relative(folder, file).split(sep).join('/')
        const about = await stat(file).catch(() => undefined)
        if (about === undefined) continue
        if (name.includes(TEMPORARY)) {
          if (about.mtimeMs < clock.now() - ABANDONED_MS) await rm(file, { force: true })
        } else if (name.startsWith(prefix) && isObjectName(name)) {
          found.push({ name, size: about.size, stored: Math.floor(about.mtimeMs) })
          mustEnd(found.length, destination)
        }
      }
      signal.throwIfAborted()
      return found.sort((a, b) => a.stored - b.stored || (a.name < b.name ? -1 : 1))
    },
    remove: async (name, signal) => {
      signal.throwIfAborted()
      const file = fileOf(name)
      try {
        await rm(file, { force: true })
        await flush(dirname(file))
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw failed(error, name)
      }
    },
    close: async () => {},
  }

  /** Files whose path may begin with the prefix; a folder that is not there has none. */
  async function* files(directory: string, prefix: string): AsyncGenerator<string> {
    let entries: Awaited<ReturnType<typeof entriesOf>>
    try {
      entries = await entriesOf(directory)
    } catch (error) {
      // The folder itself is made by the first `put`; what stands above it has to be there.
      if (codeOf(error) === 'ENOENT') return
      throw failed(error)
    }
    for (const entry of entries) {
      const path = join(directory, entry.name)
      const name = relative(folder, path).split(sep).join('/')
      if (entry.isDirectory()) {
        if (`${name}/`.startsWith(prefix) || prefix.startsWith(`${name}/`)) {
          yield* files(path, prefix)
        }
      } else if (entry.isFile()) yield path
    }
  }
}

const entriesOf = (directory: string) => readdir(directory, { withFileTypes: true })

/** Bytes that are read at a time. */
const READ_BYTES = 1_048_576

/** The bytes of a file. A pipe or a device in its place is none: it would not end, or hold the thread that opens it. */
async function readBounded(
  path: string,
  {
    maxBytes,
    tooLarge,
    signal,
  }: {
    readonly maxBytes: number
    readonly tooLarge: () => Error
    readonly signal: AbortSignal
  },
): Promise<Uint8Array> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const about = await file.stat()
    if (!about.isFile()) throw Object.assign(new Error('no file'), { code: 'EISDIR' })
    if (about.size > maxBytes) throw tooLarge()
    const bytes = new Uint8Array(about.size)
    let at = 0
    while (at < bytes.length) {
      signal.throwIfAborted()
      const { bytesRead } = await file.read(bytes, at, Math.min(READ_BYTES, bytes.length - at))
      if (bytesRead === 0) break
      at += bytesRead
    }
    return bytes.subarray(0, at)
  } finally {
    await file.close()
  }
}

async function writeFlushed(path: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  const file = await open(path, 'wx', OWNER_ONLY)
  try {
    await file.writeFile(bytes, { signal })
    await file.datasync()
  } finally {
    await file.close()
  }
}

/** Makes the names durable from `bottom` up to `top`, which is above it or the same. */
async function flushUpTo(top: string, bottom: string): Promise<void> {
  for (let at = bottom; ; at = dirname(at)) {
    await flush(at)
    if (at === top || at === dirname(at)) return
  }
}

async function flush(directory: string): Promise<void> {
  // Windows has no such call: its file system keeps names durable by itself.
  if (process.platform === 'win32') return
  const opened = await open(directory, 'r')
  try {
    await opened.sync()
  } finally {
    await opened.close()
  }
}

function translated(error: unknown, destination: string, name: string): unknown {
  const code = codeOf(error)
  const details = { destination, name, why: messageOf(error) }
  if (code === 'ENOENT' || code === 'EISDIR') return backupError('OBJECT_NOT_FOUND', details, error)
  if (code === 'ENOSPC' || code === 'EDQUOT') return backupError('DESTINATION_FULL', details, error)
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return backupError('DESTINATION_REFUSED', details, error)
  }
  const system = error instanceof Error && 'errno' in error
  return system ? backupError('DESTINATION_UNREACHABLE', details, error) : error
}
