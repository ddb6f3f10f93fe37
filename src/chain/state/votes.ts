/**
 * Votes and what follows from them: `vote/<version>/<user>`, `tally/<version>`.
 *
 * The weight of a vote is the voter's reputation when it is applied, and stays with it. The latest vote of a
 * user on a version counts, later in the order of the chain.
 */
import { DAG_CBOR } from '../../common/dag-cbor.ts'
import { link, oneOf, type Shaped, tuple, uint } from '../../common/schema.ts'
import type { RecordId, UserId, VersionId } from '../ids.ts'
import type { RecordOf, Verdict } from '../record.ts'
import { type Overlay, readValue, type StateView } from '../view.ts'
import { readVersion } from './files.ts'
import { checkReferences } from './records.ts'
import { readReputation } from './reputation.ts'
import { APPLIED, type Evaluation, isBefore, type Place, type Result, rejected } from './result.ts'
import { valueCodec } from './value.ts'

/** Thousandths: below this sum of weights a score is nobody's verdict. */
const SETTLED_WEIGHT = 3_000
/** Per cent: from here up, or from the other down, a version counts as settled. */
const SETTLED_AUTHENTIC = 70
const SETTLED_SUSPICIOUS = 30

const voteShape = tuple(
  ['verdict', oneOf('authentic', 'suspicious')],
  /** Thousandths. */
  ['weight', uint()],
  ['record', link<RecordId>(DAG_CBOR)],
  ['height', uint()],
  ['index', uint()],
)
const tallyShape = tuple(
  /** Sums of weights in thousandths, numbers of votes. */
  ['authenticWeight', uint()],
  ['suspiciousWeight', uint()],
  ['authenticVotes', uint()],
  ['suspiciousVotes', uint()],
)
const voteCodec = valueCodec(voteShape)
const tallyCodec = valueCodec(tallyShape)

export type Vote = Shaped<typeof voteShape>
export type Tally = Shaped<typeof tallyShape>

const NO_VOTES: Tally = {
  authenticWeight: 0,
  suspiciousWeight: 0,
  authenticVotes: 0,
  suspiciousVotes: 0,
}

const prefixOf = (version: VersionId): string => `vote/${version}/`
const tallyKey = (version: VersionId): string => `tally/${version}`

/** The vote of a user that counts. */
export function readVote(view: StateView, version: VersionId, user: UserId): Vote | undefined {
  return readValue(view, prefixOf(version) + user, voteCodec)
}

/** The users who voted on a version. */
export function votersOf(view: StateView, version: VersionId): UserId[] {
  const prefix = prefixOf(version)
  return [...view.list(prefix)].map(([key]) => key.slice(prefix.length) as UserId)
}

/** All zero where nobody voted. */
export function readTally(view: StateView, version: VersionId): Tally {
  return readValue(view, tallyKey(version), tallyCodec) ?? NO_VOTES
}

/** 100 × Σ weight(authentic) / Σ weight, from 0 to 100; undefined without votes. For display only. */
export function scoreOf(tally: Tally): number | undefined {
  const total = tally.authenticWeight + tally.suspiciousWeight
  return total === 0 ? undefined : (100 * tally.authenticWeight) / total
}

/** The side on which a version is settled, if it is. In whole numbers: scores are compared as fractions. */
export function settledAs(tally: Tally): Verdict | undefined {
  const total = tally.authenticWeight + tally.suspiciousWeight
  if (total < SETTLED_WEIGHT) return undefined
  if (100 * tally.authenticWeight >= SETTLED_AUTHENTIC * total) return 'authentic'
  if (100 * tally.authenticWeight <= SETTLED_SUSPICIOUS * total) return 'suspicious'
  return undefined
}

/** @param place - where the vote stands, which for a late one is not in the block that evaluates it */
export function applyVote(
  overlay: Overlay,
  record: RecordOf<'vote'>,
  user: UserId,
  place: Place,
  evaluation: Evaluation,
): Result {
  const { version: id, verdict } = record.body
  const missing = checkReferences(overlay, [id])
  if (missing !== undefined) return missing
  const version = readVersion(overlay, id)
  if (version === undefined) return rejected('NOT_A_VERSION')
  if (version.owner === user) return rejected('VOTE_OWN_FILE')
  const former = readVote(overlay, id, user)
  // A vote that waited is applied, but a later one that did not wait counts.
  if (former !== undefined && isBefore(place, former)) return APPLIED

  const weight = readReputation(overlay, evaluation.params, user)
  const vote = { verdict, weight, record: record.identity, ...place }
  let tally = readTally(overlay, id)
  if (former !== undefined) tally = count(tally, former, -1)
  overlay.write(prefixOf(id) + user, voteCodec, vote)
  overlay.write(tallyKey(id), tallyCodec, count(tally, vote, 1))
  const changed = evaluation.votesChanged.get(id) ?? new Set()
  evaluation.votesChanged.set(id, changed.add(user))
  return APPLIED
}

function count(tally: Tally, { verdict, weight }: Vote, sign: 1 | -1): Tally {
  return verdict === 'authentic'
    ? {
        ...tally,
        authenticWeight: tally.authenticWeight + sign * weight,
        authenticVotes: tally.authenticVotes + sign,
      }
    : {
        ...tally,
        suspiciousWeight: tally.suspiciousWeight + sign * weight,
        suspiciousVotes: tally.suspiciousVotes + sign,
      }
}
