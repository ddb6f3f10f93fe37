/** Grants and accesses as people see them: what is used and left, and what became of each attempt. */
import type { FileId, RecordId } from '../../chain/ids.ts'
import { REASONS, type ReasonCode } from '../../chain/reasons.ts'
import { isPrivate, readVersion } from '../../chain/state/files.ts'
import { readGranted } from '../../chain/state/grants.ts'
import type { Clock } from '../../common/clock.ts'
import type { ChainStore, StoredRecord } from '../../storage/chain-store.ts'
import type { Directory, Named } from '../explorer/directory.ts'
import { type RecordState, recordStateOf } from '../explorer/record-state.ts'

/** Ids are CID text, times milliseconds UTC; what is not known or not set is null. */
export interface GrantView {
  readonly grant: string
  readonly file: string
  /** Of the file, where this device can open it. */
  readonly name: string | null
  readonly user: Named
  readonly time: number
  readonly expires: number | null
  readonly downloads: number | null
  /** Accesses whose key left, as far as this device knows. */
  readonly used: number
  readonly left: number | null
  /** `revoking`: the revocation is not confirmed yet, and counts already. */
  readonly status:
    | 'pending'
    | 'active'
    | 'expired'
    | 'used-up'
    | 'revoking'
    | 'revoked'
    | 'replaced'
    | 'refused'
  readonly state: RecordState
}

export interface AccessView {
  readonly access: string
  readonly file: string
  readonly version: string
  readonly user: Named
  readonly device: Named
  readonly time: number
  readonly grant: string | null
  /** `waiting`: not judged by a block yet. `allowed`: no key left for it yet, as far as this device knows. */
  readonly outcome: 'waiting' | 'allowed' | 'denied' | 'released'
  /** Why it was denied: the code, and in words. */
  readonly reason: string | null
  readonly why: string | null
  /** The key holder. */
  readonly releasedBy: Named | null
  readonly releasedAt: number | null
  readonly state: RecordState
}

export interface GrantViews {
  /** Newest last. */
  grants(file: FileId): GrantView[]
  /** Every attempt to read, newest last. */
  accesses(file: FileId): AccessView[]
}

export interface GrantViewsComponents {
  readonly store: Pick<ChainStore, 'state'> & {
    readonly projections: Pick<
      ChainStore['projections'],
      'grantsOf' | 'accessesOf' | 'releasedAccessesOf' | 'releasesOf' | 'file'
    >
  }
  readonly directory: Pick<Directory, 'user' | 'device'>
  readonly clock: Pick<Clock, 'now'>
}

export function createGrantViews({ store, directory, clock }: GrantViewsComponents): GrantViews {
  const { state, projections } = store

  const releaseOf = (access: RecordId): StoredRecord | undefined =>
    projections.releasesOf(access).find(({ outcome }) => outcome !== 'rejected')

  const usedOf = (accesses: readonly StoredRecord[], grant: RecordId): number =>
    accesses.filter(
      ({ record }) =>
        record.type === 'access' &&
        record.body.grant === grant &&
        releaseOf(record.identity) !== undefined,
    ).length

  return {
    grants: (file) => {
      const entry = projections.file(file)
      const owner = entry?.owner
      const accesses = standing(projections.releasedAccessesOf(file))
      const entries = projections.grantsOf(file)
      return standing(entries.map(({ grant }) => grant)).flatMap((stored): GrantView[] => {
        const { record } = stored
        if (record.type !== 'grant' || record.user !== owner) return []
        const { user, expires = null, downloads = null } = record.body
        const used = usedOf(accesses, record.identity)
        const revocations =
          entries.find(({ grant }) => grant.record.identity === record.identity)?.revocations ?? []
        const by = revocations.filter(({ record: revocation }) => revocation.user === owner)
        const recordState = recordStateOf(state, stored)
        const status = (): GrantView['status'] => {
          if (recordState.outcome === 'rejected') return 'refused'
          if (by.some(({ outcome }) => outcome === 'applied')) return 'revoked'
          if (by.some(({ outcome }) => outcome !== 'rejected')) return 'revoking'
          if (recordState.outcome !== 'applied') return 'pending'
          if (readGranted(state, file, user) !== record.identity) return 'replaced'
          if (expires !== null && clock.now() > expires) return 'expired'
          return downloads !== null && used >= downloads ? 'used-up' : 'active'
        }
        return [
          {
            grant: record.identity,
            file,
            name: entry?.details?.name ?? null,
            user: directory.user(user),
            time: record.time,
            expires,
            downloads,
            used,
            left: downloads === null ? null : Math.max(0, downloads - used),
            status: status(),
            state: recordState,
          },
        ]
      })
    },
    accesses: (file) =>
      standing(projections.accessesOf(file)).flatMap((stored): AccessView[] => {
        const { record, outcome, code } = stored
        if (record.type !== 'access') return []
        const { version, grant = null } = record.body
        const release = releaseOf(record.identity)
        const reader = record.user ?? record.identity
        const counted = isPrivate(state, version) && readVersion(state, version)?.owner !== reader
        const became = (): AccessView['outcome'] => {
          if (outcome === 'rejected') return 'denied'
          if (outcome !== 'applied') return 'waiting'
          return counted && release !== undefined ? 'released' : 'allowed'
        }
        return [
          {
            access: record.identity,
            file,
            version,
            user: directory.user(reader),
            device: directory.device(record.device),
            time: record.time,
            grant,
            outcome: became(),
            reason: outcome === 'rejected' ? (code ?? null) : null,
            why: outcome === 'rejected' && code !== undefined ? wordsOf(code) : null,
            releasedBy: release === undefined ? null : directory.device(release.record.device),
            releasedAt: release?.record.time ?? null,
            state: recordStateOf(state, stored),
          },
        ]
      }),
  }
}

/** One entry for each statement: where a stranded record was signed again, the one that is in the chain. */
function standing(entries: readonly StoredRecord[]): StoredRecord[] {
  const found = new Map<RecordId, StoredRecord>()
  for (const entry of entries) {
    const other = found.get(entry.record.identity)
    if (other === undefined || (other.place === undefined && entry.place !== undefined)) {
      found.set(entry.record.identity, entry)
    }
  }
  return [...found.values()]
}

function wordsOf(code: string): string | null {
  return Object.hasOwn(REASONS, code) ? REASONS[code as ReasonCode] : null
}
