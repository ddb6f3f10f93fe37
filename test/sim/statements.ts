/** What simulated people state, and about what: also about things that their device cannot have seen yet. */
import type { ContentId, FileId, RecordId, UserId, VersionId } from '../../src/chain/ids.ts'
import type { SignedRecord, Statement } from '../../src/chain/record.ts'
import { cidText, RAW } from '../../src/common/dag-cbor.ts'
import type { Saying } from './plan.ts'
import type { Prng } from './prng.ts'

interface KnownFile {
  readonly file: FileId
  readonly user: UserId
  readonly versions: VersionId[]
}

/** All that was ever acknowledged, whoever knows of it. */
export interface Library {
  learn(record: SignedRecord, user: UserId): void
  /** A statement by a device of `user`; `pick` in [0, 1) chooses what it is about. */
  compose(what: Saying, pick: number, user: UserId): Statement
}

export function createLibrary(prng: Prng): Library {
  const files: KnownFile[] = []
  let count = 0

  const at = <T>(list: readonly T[], pick: number): T | undefined =>
    list[Math.floor(pick * list.length)]

  const content = () => {
    count += 1
    const size = prng.int(0, 1_000_000)
    return {
      root: cidText(RAW, prng.bytes(32)) as ContentId,
      storedSize: size,
      visibility: 'public' as const,
      name: `file ${count}`,
      folder: prng.chance(0.2) ? ['folder'] : [],
      mediaType: 'text/plain',
      size,
      sha256: prng.bytes(32),
    }
  }

  const library: Library = {
    learn: (record, user) => {
      if (record.type === 'file.add') {
        files.push({ file: record.identity, user, versions: [record.identity] })
      }
      if (record.type === 'file.update') {
        files.find(({ file }) => file === record.body.file)?.versions.push(record.identity)
      }
    },
    compose: (what, pick, user) => {
      // Mostly one's own files are changed; somebody else's is refused by the rules, which is an outcome too.
      const mine = files.filter((file) => file.user === user)
      const some = prng.chance(0.9) && mine.length > 0 ? mine : files
      const changed = at(some, pick)
      const any = at(files, pick)
      const version = any === undefined ? undefined : at(any.versions, prng.next())
      if (what === 'update' && changed !== undefined) {
        return {
          type: 'file.update',
          body: { ...content(), file: changed.file, parents: parentsOf(changed) },
        }
      }
      if (what === 'remove' && changed !== undefined && changed.versions.length > 0) {
        return { type: 'file.remove', body: { file: changed.file, parents: parentsOf(changed) } }
      }
      if (what === 'vote' && version !== undefined) {
        return {
          type: 'vote',
          body: {
            version,
            verdict: prng.pick(['authentic', 'authentic', 'suspicious'] as const),
            comment: '',
          },
        }
      }
      if (what === 'access' && version !== undefined) return { type: 'access', body: { version } }
      return { type: 'file.add', body: content() }
    },
  }

  const parentsOf = (file: KnownFile): RecordId[] => {
    const newest = file.versions.slice(-2)
    const one = prng.pick(file.versions)
    return prng.chance(0.5) ? newest.slice(-1) : prng.chance(0.5) ? newest : [one]
  }
  return library
}
