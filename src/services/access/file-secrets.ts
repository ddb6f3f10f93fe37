/** The keys of private files, for the file verbs: what is open here, and what a key holder has to release. */
import type { UserId } from '../../chain/ids.ts'
import { fileError } from '../files/errors.ts'
import type { FileSecrets, ReadableVersion, ReadingWork } from '../files/secrets.ts'
import type { FileKeys } from './file-keys.ts'

/** How somebody else's private version is read; see reading.ts. */
export interface Reading {
  requestAccess(wanted: ReadableVersion, work: ReadingWork): Promise<unknown>
  contentKey(wanted: ReadableVersion, work: ReadingWork): Promise<Uint8Array>
}

export function createFileSecrets(components: {
  readonly keys: FileKeys
  readonly reading: Reading
  readonly user: () => UserId | undefined
}): FileSecrets {
  const { keys, reading, user } = components
  const isOwn = ({ record }: ReadableVersion): boolean => record.user === user()
  return {
    newKeys: keys.newKeys,
    seal: keys.seal,
    requestAccess: async (wanted, work) => {
      if (!isOwn(wanted)) await reading.requestAccess(wanted, work)
    },
    contentKey: async (wanted, work) => {
      if (!isOwn(wanted)) return reading.contentKey(wanted, work)
      const key = await keys.contentKeyOf(wanted.record)
      if (key === undefined) throw fileError('FILE_SEALED', { file: wanted.version })
      return key
    },
  }
}
