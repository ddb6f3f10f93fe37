/**
 * Files that are whole or not there: written under a name of their own, flushed, then renamed; directories
 * flushed on demand.
 *
 * owns: system calls and their errors as those of errors.ts, temporary files, which directories are not flushed
 * does not own: what a file holds and what it is called
 */
import fs from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { codeOf } from '../common/errors.ts'
import { translated } from './errors.ts'

/** The system calls that are used; another set only in tests. */
export type FileCalls = Pick<
  typeof fs,
  'mkdir' | 'open' | 'readFile' | 'readdir' | 'rename' | 'stat' | 'unlink' | 'utimes'
>

export interface WholeFiles {
  /** Makes the directories and removes what an interrupted write left. */
  prepare(directories: readonly string[]): Promise<void>
  /** Bytes of a file; undefined when there is none. */
  read(path: string): Promise<Uint8Array | undefined>
  /** Like `read`, into `target`, when the file is not longer than that. Otherwise like `read`. */
  readInto(path: string, target: Uint8Array): Promise<Uint8Array | undefined>
  /** When it was written (milliseconds UTC) and its size; undefined when there is none. */
  stat(path: string): Promise<{ readonly time: number; readonly size: number } | undefined>
  /** Writes and flushes the file and puts it in place; the directory is flushed by `flush`. */
  write(path: string, bytes: Uint8Array): Promise<void>
  /** Sets the time of a file to now. */
  touch(path: string): Promise<void>
  move(from: string, to: string): Promise<void>
  /** Whether there was one. */
  remove(path: string): Promise<boolean>
  /** Names in a directory; none when there is no such directory. */
  list(directory: string): Promise<string[]>
  /** Resolves when every write that ended before this call survives a power failure. */
  flush(): Promise<void>
}

/**
 * @param temporary - a directory on the same file system that this part has for itself
 * @throws (all functions) STORAGE_FULL, DATA_DIRECTORY_NOT_WRITABLE, STORAGE_FAILED, or an error with the
 *   system's code; never "not there" for anything but ENOENT
 */
export function createWholeFiles(
  { calls = fs, now }: { readonly calls?: FileCalls; readonly now: () => number },
  { temporary }: { readonly temporary: string },
): WholeFiles {
  const known = new Set<string>()
  let unflushed = new Set<string>()
  let flushing: Promise<void> = Promise.resolve()
  let counter = 0

  /** Undefined when the path does not exist; every other failure is thrown. */
  const ifThere = async <T>(path: string, run: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await run()
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw translated(error, path)
    }
  }
  const always = async <T>(path: string, run: () => Promise<T>): Promise<T> => {
    try {
      return await run()
    } catch (error) {
      throw translated(error, path)
    }
  }
  const makeDirectory = async (directory: string): Promise<void> => {
    if (known.has(directory)) return
    await calls.mkdir(directory, { recursive: true })
    known.add(directory)
    unflushed.add(dirname(directory))
  }
  const writeTemporary = async (path: string, bytes: Uint8Array): Promise<void> => {
    const file = await calls.open(path, 'wx')
    try {
      for (let written = 0; written < bytes.length; ) {
        written += (await file.write(bytes, written)).bytesWritten
      }
      await file.datasync()
    } finally {
      await file.close()
    }
  }
  const syncDirectory = async (directory: string): Promise<void> => {
    // Windows cannot flush a directory; its journal orders the renames.
    if (process.platform === 'win32') return
    const handle = await calls.open(directory, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }

  return {
    prepare: (directories) =>
      always(temporary, async () => {
        for (const directory of [temporary, ...directories]) await makeDirectory(directory)
        for (const name of await calls.readdir(temporary)) await calls.unlink(join(temporary, name))
      }),
    read: (path) => ifThere(path, () => calls.readFile(path)),
    readInto: (path, target) =>
      ifThere(path, async () => {
        const file = await calls.open(path, 'r')
        try {
          for (let length = 0; ; ) {
            if (length === target.length) {
              const { bytesRead } = await file.read(new Uint8Array(1), 0, 1, length)
              return bytesRead === 0 ? target : await calls.readFile(path)
            }
            const { bytesRead } = await file.read(target, length, target.length - length, length)
            if (bytesRead === 0) return target.subarray(0, length)
            length += bytesRead
          }
        } finally {
          await file.close()
        }
      }),
    stat: (path) =>
      ifThere(path, async () => {
        const found = await calls.stat(path)
        return { time: Math.floor(found.mtimeMs), size: found.size }
      }),
    write: (path, bytes) =>
      always(path, async () => {
        // A name of its own: two writers of one file must not meet in one inode.
        counter += 1
        const own = join(temporary, `${process.pid}-${counter}`)
        try {
          await makeDirectory(dirname(path))
          await writeTemporary(own, bytes)
          await calls.rename(own, path)
        } catch (error) {
          await calls.unlink(own).catch(() => {})
          throw error
        }
        unflushed.add(dirname(path))
      }),
    touch: (path) =>
      always(path, async () => {
        const seconds = now() / 1000
        await calls.utimes(path, seconds, seconds)
        // It may stand there from a write whose directory was never flushed.
        unflushed.add(dirname(path))
      }),
    move: (from, to) => always(from, () => calls.rename(from, to)),
    remove: async (path) =>
      (await ifThere(path, async () => {
        await calls.unlink(path)
        return true
      })) ?? false,
    list: async (directory) => (await ifThere(directory, () => calls.readdir(directory))) ?? [],
    flush: () => {
      // One after the other: a caller may not return while an earlier call still flushes its directory.
      flushing = flushing
        .catch(() => {})
        .then(async () => {
          const directories = unflushed
          unflushed = new Set()
          const ends = await Promise.allSettled(
            [...directories].map((directory) => always(directory, () => syncDirectory(directory))),
          )
          const failed = ends.find((end) => end.status === 'rejected')
          if (failed === undefined) return
          for (const directory of directories) unflushed.add(directory)
          throw failed.reason
        })
      return flushing
    },
  }
}
