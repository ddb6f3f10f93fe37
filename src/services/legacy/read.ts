/** The parts of an import, read and compared with each other. Nothing odd is refused; what cannot be read is. */
import { type LegacyKind, type LegacyPart, legacyName } from './container.ts'
import { legacyError } from './errors.ts'
import { createFindings, short } from './findings.ts'
import { isList, isObject, type Json, parseJson } from './json.ts'
import { readChain } from './read-chain.ts'
import { readContracts } from './read-contracts.ts'
import { readVotes } from './read-votes.ts'
import type { LegacyContents, LegacyReport } from './types.ts'
import { at } from './values.ts'

/** What each part has to be at least. */
const SHAPES: Readonly<Record<LegacyKind, string>> = {
  blockchain: 'there is no list "chain" in it',
  verifications: 'there is no object "verifications" in it',
  contracts: 'it is no object of contracts',
}

/** Blocks, files with votes, and contracts of one import. */
const MAX_ENTRIES = 200_000

/** @throws LEGACY_JSON */
export function readLegacy(parts: readonly LegacyPart[]): LegacyContents {
  const findings = createFindings()
  const jsonOf = (kind: LegacyKind): Json | undefined => {
    const part = parts.find((each) => each.kind === kind)
    return part === undefined ? undefined : parseJson(part.bytes, legacyName(kind))
  }
  const read = <T>(
    kind: LegacyKind,
    reader: (json: Json, say: (place: string, says: string) => void) => T | undefined,
    empty: T,
  ): T => {
    const json = jsonOf(kind)
    if (json === undefined) return empty
    if (countIn(json) > MAX_ENTRIES) {
      const why = `it has more than ${MAX_ENTRIES} entries`
      throw legacyError('LEGACY_JSON', { name: legacyName(kind), place: 'its lists', why })
    }
    const found = reader(json, findings.of(kind))
    if (found !== undefined) return found
    const why = SHAPES[kind]
    throw legacyError('LEGACY_JSON', { name: legacyName(kind), place: 'its beginning', why })
  }
  const blocks = read('blockchain', readChain, [])
  const { votes, reputation } = read('verifications', readVotes, { votes: [], reputation: [] })
  const contracts = read('contracts', readContracts, [])

  const uploads = blocks.filter(({ kind }) => kind === 'upload')
  if (parts.some(({ kind }) => kind === 'blockchain')) {
    const owners = new Map(uploads.map(({ fileHash, user }) => [fileHash, user?.name]))
    const votesSay = findings.of('verifications')
    for (const { fileHash } of votes) {
      if (!owners.has(fileHash)) votesSay(at('verifications', fileHash), 'is about no upload')
    }
    const contractsSay = findings.of('contracts')
    for (const { fileHash, owner } of contracts) {
      const uploader = owners.get(fileHash)
      if (!owners.has(fileHash)) contractsSay(at('contracts', fileHash), 'is about no upload')
      else if (uploader !== owner?.name) {
        const says = `is ${short(owner?.name ?? null)}; the upload is by ${short(uploader ?? null)}`
        contractsSay(`${at('contracts', fileHash)}.owner`, says)
      }
    }
  }
  const names = [
    ...blocks.map(({ user }) => user),
    ...votes.flatMap((each) => each.votes.map(({ user }) => user)),
    ...contracts.flatMap(({ owner, grants }) => [owner, ...grants.map(({ user }) => user)]),
    ...reputation.map(({ user }) => user),
  ]
  return {
    counts: {
      blocks: blocks.length,
      uploads: uploads.length,
      downloads: blocks.filter(({ kind }) => kind === 'download').length,
      filesWithVotes: votes.length,
      votes: votes.reduce((sum, each) => sum + each.votes.length, 0),
      contracts: contracts.length,
      grants: contracts.reduce((sum, { grants }) => sum + grants.length, 0),
      users: new Set(names.flatMap((each) => each?.name ?? [])).size,
    },
    findings: findings.list,
    findingCount: findings.count,
    blocks,
    votes,
    contracts,
    reputation,
  }
}

/** Entries of the longest list or object that a part may have at its top or just below. */
function countIn(json: Json): number {
  const inner = isObject(json) ? Object.values(json) : []
  const sizes = inner.map((value) =>
    isObject(value) || isList(value) ? Object.keys(value).length : 0,
  )
  return sizes.reduce((most, size) => Math.max(most, size), inner.length)
}

/** Blocks, files with votes, or contracts of a part. */
export function entriesOf(kind: LegacyKind, { counts }: LegacyReport): number {
  if (kind === 'blockchain') return counts.blocks
  return kind === 'verifications' ? counts.filesWithVotes : counts.contracts
}
