/**
 * `verifications.json`: `{verifications: {<file hash>: {votes: [{user, is_authentic, comment, timestamp,
 * reputation_weight}], authenticity_score, total_votes, positive_votes, negative_votes}}, reputation: {<user>: n}}`.
 *
 * The forerunner's score is taken as 100 × Σ weight of positive votes / Σ weight, its votes being what they are.
 */
import { short } from './findings.ts'
import { booleanIn, field, isList, isObject, type Json, numberIn, textIn } from './json.ts'
import type { LegacyContents, LegacyVotes } from './types.ts'
import { at, nameIn, timeIn, unverified } from './values.ts'

/** Points by which a score may differ from the one computed: it was rounded. */
const SCORE_TOLERANCE = 0.06

type Say = (place: string, says: string) => void

/** Undefined: there are no verifications in it. */
export function readVotes(
  json: Json,
  say: Say,
): Pick<LegacyContents, 'votes' | 'reputation'> | undefined {
  const verifications = field(json, 'verifications')
  if (!isObject(verifications)) return undefined
  const reputation = field(json, 'reputation')
  if (!isObject(reputation)) say('reputation', 'is missing')
  return {
    votes: Object.entries(verifications).map(([fileHash, entry]) => {
      const votes = votesOf(fileHash, entry)
      check(votes, entry, (key, says) => say(`${at('verifications', fileHash)}${key}`, says))
      return votes
    }),
    reputation: Object.entries(isObject(reputation) ? reputation : {}).map(([name, value]) => {
      if (typeof value !== 'number') say(at('reputation', name), 'is no number')
      return { user: unverified(name), value: typeof value === 'number' ? value : null }
    }),
  }
}

function votesOf(fileHash: string, entry: Json): LegacyVotes {
  const list = field(entry, 'votes')
  return {
    fileHash,
    score: numberIn(entry, 'authenticity_score') ?? null,
    votes: (isList(list) ? list : []).map((vote) => ({
      user: nameIn(vote, 'user'),
      authentic: booleanIn(vote, 'is_authentic') ?? null,
      comment: textIn(vote, 'comment') ?? '',
      time: timeIn(vote, 'timestamp'),
      weight: numberIn(vote, 'reputation_weight') ?? null,
    })),
  }
}

function check({ votes, score }: LegacyVotes, entry: Json, say: Say): void {
  if (!isList(field(entry, 'votes'))) say('.votes', 'is no list')
  const positive = votes.filter(({ authentic }) => authentic === true).length
  const counts = [
    ['total_votes', votes.length],
    ['positive_votes', positive],
    ['negative_votes', votes.filter(({ authentic }) => authentic === false).length],
  ] as const
  let complete = true
  for (const [key, listed] of counts) {
    const told = field(entry, key)
    if (told === listed) continue
    complete = false
    say(`.${key}`, `is ${short(told ?? null)}; the votes that are listed come to ${listed}`)
  }
  const users = votes.flatMap(({ user }) => (user === null ? [] : [user.name]))
  if (new Set(users).size < users.length) say('.votes', 'has several votes of one name')
  for (const [index, vote] of votes.entries()) {
    const place = `.votes[${index}]`
    if (vote.user === null) say(`${place}.user`, 'is no name')
    if (vote.authentic === null) say(`${place}.is_authentic`, 'is neither true nor false')
    if (vote.weight === null || vote.weight < 0) say(`${place}.reputation_weight`, 'is no weight')
    if (vote.time === null) say(`${place}.timestamp`, 'is no time')
  }
  if (score === null) return void say('.authenticity_score', 'is no number')
  const computed = scoreOf(votes)
  // What is not listed cannot be added up; the counts have told.
  if (complete && computed !== undefined && Math.abs(score - computed) > SCORE_TOLERANCE) {
    say('.authenticity_score', `is ${score}; the weights of the votes give ${computed.toFixed(1)}`)
  }
}

/** 100 × Σ weight of positive votes / Σ weight; undefined without weights. */
function scoreOf(votes: LegacyVotes['votes']): number | undefined {
  let all = 0
  let positive = 0
  for (const { weight, authentic } of votes) {
    if (weight === null || weight < 0) return undefined
    all += weight
    if (authentic === true) positive += weight
  }
  return all === 0 ? undefined : (100 * positive) / all
}
