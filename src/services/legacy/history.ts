/**
 * The network's own history in the format of the forerunner, with equal meaning: a first block, then confirmed
 * versions as uploads and accesses as downloads in the order of the chain; votes that count; grants that hold.
 *
 * The format knows no removal, no versions and no waiting: what was removed stays an upload, each version is an
 * upload of its own, and what is not confirmed is not in it. Names are made unique, since there they stand for people.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FileId, UserId } from '../../chain/ids.ts'
import type { NetworkParams } from '../../chain/params.ts'
import { readGrant, readGranted, readReleased } from '../../chain/state/grants.ts'
import { readReputation } from '../../chain/state/reputation.ts'
import { readVote } from '../../chain/state/votes.ts'
import { toHex, utf8 } from '../../common/bytes.ts'
import type { ChainStore, StoredRecord } from '../../storage/chain-store.ts'
import type { FileEntry, VersionEntry } from '../../storage/projections.ts'
import type { Directory } from '../explorer/directory.ts'
import { encodeLegacy } from './container.ts'
import { legacyError } from './errors.ts'
import { chainOf, DIFFICULTY, type Happened } from './history-chain.ts'
import { dict, float, type PythonValue, pythonJson } from './python-json.ts'

/** Uploads and downloads: some ten seconds of hashing, a file of 10 MB. */
const MAX_BLOCKS = 20_000
/** Files that are looked at in one query. */
const PAGE = 1_000
/** Files between two looks at the signal and at other work. */
const FILES_AT_ONCE = 32

export type History = (
  options: {
    /** The private files that this device can open are told too. */
    readonly includePrivate: boolean
  },
  signal: AbortSignal,
) => Promise<Uint8Array>

type Dict = Map<string, PythonValue>

interface Told extends VersionEntry {
  readonly details: NonNullable<VersionEntry['details']>
  readonly place: NonNullable<StoredRecord['place']>
  readonly owner: UserId
  readonly file: FileId
}

export function createHistory({
  store,
  directory,
  params,
}: {
  readonly store: Pick<ChainStore, 'block' | 'projections' | 'state'>
  readonly directory: Directory
  readonly params: NetworkParams
}): History {
  const { projections, state } = store

  return async ({ includePrivate }, signal) => {
    const labels = uniqueNames(directory)
    const nameOf = (user: string | null): string => labels.get(user ?? '') ?? user ?? ''
    const happened: Happened[] = []
    const verifications: Dict = new Map()
    const contracts: Dict = new Map()
    for await (const entry of allFiles(signal)) {
      for (const version of versionsOf(entry, includePrivate)) {
        const { name, size, sha256 } = version.details
        const hash = toHex(sha256)
        const data = { file_name: name, file_hash: hash, file_size: size }
        const uploader = nameOf(version.owner)
        happened.push({
          place: version.place,
          data: dict({ type: 'file_upload', ...data, uploader }),
        })
        const accesses = projections
          .accessesOf(entry.file)
          .filter((access) => isOf(access, version))
        for (const { place, record, outcome } of accesses) {
          if (place === undefined || outcome !== 'applied') continue
          const downloader = nameOf(record.user)
          happened.push({ place, data: dict({ type: 'file_download', ...data, downloader }) })
        }
        if (happened.length > MAX_BLOCKS)
          throw legacyError('LEGACY_TOO_LONG', { limit: MAX_BLOCKS })
        const votes = [...votesIn(verifications.get(hash)), ...votesOf(version, nameOf)]
        if (votes.length > 0) verifications.set(hash, verification(votes))
        // The format knows files by their hash: equal ones have one contract.
        const one = contract(version, hash, accesses, nameOf)
        contracts.set(hash, joined(contracts.get(hash), one))
      }
    }
    const reputation: Dict = new Map(
      directory
        .users()
        .map(({ user }) => [nameOf(user), float(readReputation(state, params, user) / 1000)]),
    )
    const chain = await chainOf(
      happened,
      { founded: params.time, timeOf: (block) => store.block(block)?.header.time },
      signal,
    )
    const parts = [
      { kind: 'blockchain' as const, value: dict({ difficulty: DIFFICULTY, chain }) },
      { kind: 'verifications' as const, value: dict({ verifications, reputation }) },
      { kind: 'contracts' as const, value: contracts },
    ]
    return encodeLegacy(
      parts.map(({ kind, value }) => ({ kind, bytes: utf8(`${pythonJson(value, true)}\n`) })),
    )
  }

  async function* allFiles(signal: AbortSignal): AsyncGenerator<FileEntry> {
    let after: FileId | undefined
    for (;;) {
      const page = projections.listFiles({
        limit: PAGE,
        all: true,
        ...(after === undefined ? {} : { after }),
      })
      for (const [index, entry] of page.entries()) {
        if (index % FILES_AT_ONCE === 0) {
          await nextTurn()
          signal.throwIfAborted()
        }
        yield entry
      }
      after = page.at(-1)?.file
      if (page.length < PAGE) return
    }
  }

  function versionsOf({ file, owner }: FileEntry, includePrivate: boolean): Told[] {
    return projections.versionsOf(file).flatMap((version) => {
      const { record, details, place, outcome } = version
      const shown = record.type === 'file.add' || record.type === 'file.update'
      if (!shown || details === undefined || place === undefined || outcome !== 'applied') return []
      if (record.body.visibility === 'private' && !includePrivate) return []
      return { ...version, details, place, owner, file }
    })
  }

  function votesOf({ version }: Told, nameOf: (user: string) => string): PythonValue[] {
    return projections.votesOf(version).flatMap(({ record, user, outcome }) => {
      const counting = readVote(state, version, user)
      if (record.type !== 'vote' || outcome !== 'applied') return []
      if (counting === undefined || counting.record !== record.identity) return []
      return dict({
        user: nameOf(user),
        is_authentic: record.body.verdict === 'authentic',
        comment: record.body.comment,
        timestamp: naive(record.time),
        reputation_weight: float(counting.weight / 1000),
      })
    })
  }

  function contract(
    { file, owner, record }: Told,
    hash: string,
    accesses: readonly StoredRecord[],
    nameOf: (user: string | null) => string,
  ): Dict {
    const permissions: Dict = new Map()
    for (const { grant } of projections.grantsOf(file)) {
      if (grant.record.type !== 'grant' || grant.outcome !== 'applied') continue
      const { identity, time } = grant.record
      const { user } = grant.record.body
      const found = readGrant(state, identity)
      if (found === undefined || found.revoked || readGranted(state, file, user) !== identity)
        continue
      const permission: Dict = new Map(
        dict({
          granted_at: naive(time),
          max_downloads: found.downloads,
          downloads_used: readReleased(state, identity),
        }),
      )
      if (found.expires !== null) permission.set('expires_at', naive(found.expires))
      permissions.set(nameOf(user), permission)
    }
    return new Map(
      dict({
        file_hash: hash,
        owner: nameOf(owner),
        permissions,
        access_log: accesses
          .filter(({ place, outcome }) => place !== undefined && outcome !== 'waiting')
          .map((access) =>
            dict({
              user: nameOf(access.record.user),
              action: 'download',
              success: access.outcome === 'applied',
              timestamp: naive(access.record.time),
            }),
          ),
        is_public:
          (record.type === 'file.add' || record.type === 'file.update') &&
          record.body.visibility === 'public',
      }),
    )
  }
}

/** Two contracts over the same bytes: the owner of the first, what both allow, and what happened under both. */
function joined(first: PythonValue | undefined, second: Dict): Dict {
  if (!(first instanceof Map)) return second
  const result: Dict = new Map(first as ReadonlyMap<string, PythonValue>)
  const log = [first, second].flatMap((each) => (each.get('access_log') ?? []) as PythonValue[])
  const allowed = [first, second].flatMap((each) => [...((each.get('permissions') ?? []) as Dict)])
  result.set('permissions', new Map(allowed))
  result.set('access_log', log)
  result.set('is_public', first.get('is_public') === true || second.get('is_public') === true)
  return result
}

function isOf({ record }: StoredRecord, { version }: Told): boolean {
  return record.type === 'access' && record.body.version === version
}

function votesIn(found: PythonValue | undefined): readonly PythonValue[] {
  const votes = found instanceof Map ? found.get('votes') : undefined
  return Array.isArray(votes) ? votes : []
}

function verification(votes: readonly PythonValue[]): PythonValue {
  const sides = votes.map((vote) => {
    const fields = vote as ReadonlyMap<string, PythonValue>
    const weight = fields.get('reputation_weight') as { readonly float: number }
    return { positive: fields.get('is_authentic') === true, weight: weight.float }
  })
  const all = sides.reduce((sum, { weight }) => sum + weight, 0)
  const positive = sides.filter((side) => side.positive)
  const weight = positive.reduce((sum, side) => sum + side.weight, 0)
  return dict({
    votes,
    authenticity_score: float(all === 0 ? 0 : Math.round((1000 * weight) / all) / 10),
    total_votes: votes.length,
    positive_votes: positive.length,
    negative_votes: votes.length - positive.length,
  })
}

/** Names by user; where several have the same one, with the end of the id. */
function uniqueNames(directory: Directory): ReadonlyMap<string, string> {
  const users = directory.users()
  const counts = new Map<string, number>()
  for (const { name } of users) counts.set(name, (counts.get(name) ?? 0) + 1)
  return new Map(
    users.map(({ user, name }) => [
      user,
      counts.get(name) === 1 ? name : `${name} (${user.slice(-8)})`,
    ]),
  )
}

/** ISO 8601 without a zone, in UTC: what Python's `isoformat` gives. */
function naive(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? '1970-01-01T00:00:00' : date.toISOString().slice(0, -1)
}
