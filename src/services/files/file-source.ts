/** A file of this computer as the source of an add: read as a stream, and watched for changes meanwhile. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { MIB } from '../../common/limits.ts'

export interface FileSource {
  readonly source: AsyncIterable<Uint8Array>
  /** Bytes when it was opened. */
  readonly size: number
  /** Whether size, times and identity are what they were when it was opened. */
  unchanged(): Promise<boolean>
}

/** @throws the system's errors (ENOENT, EACCES, EISDIR) */
export async function openFileSource(path: string): Promise<FileSource> {
  const look = () => stat(path, { bigint: true })
  const before = await look()
  return {
    source: createReadStream(path, { highWaterMark: MIB }),
    size: Number(before.size),
    unchanged: async () => {
      const after = await look()
      // Within a clock tick the times may agree; the size of what was read is compared by its reader too.
      return (['size', 'mtimeNs', 'ctimeNs', 'ino', 'dev'] as const).every(
        (what) => after[what] === before[what],
      )
    },
  }
}
