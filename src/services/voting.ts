/**
 * Votes: what people think of a version. That the bytes match is a fact and stands elsewhere (files/copies.ts).
 */
import type { FileId, VersionId } from '../chain/ids.ts'
import type { Verdict } from '../chain/record.ts'
import { MAX_COMMENT_CHARACTERS } from '../chain/record-bodies.ts'
import { readVote } from '../chain/state/votes.ts'
import { assert } from '../common/errors.ts'
import type { VoteEntry } from '../storage/activity.ts'
import type { Named } from './explorer/directory.ts'
import { type RecordState, recordStateOf } from './explorer/record-state.ts'
import type { FilesComponents } from './files/components.ts'
import { fileError } from './files/errors.ts'
import { createFileViews } from './files/views.ts'

/** A vote, in words and numbers that are sent as JSON. */
export interface Vote {
  readonly record: string
  readonly file: string
  readonly version: string
  readonly user: Named
  readonly verdict: Verdict
  readonly comment: string
  /** Thousandths; null while it is not confirmed, and when a later vote of the user took its place. */
  readonly weight: number | null
  readonly time: number
  /** The user's latest vote on that version. */
  readonly counts: boolean
  readonly state: RecordState
}

export interface VotingService {
  /**
   * Votes on a version, default the one that is shown. The latest vote of a user on a version counts.
   *
   * @throws FILE_NOT_FOUND, VERSION_NOT_FOUND, VOTE_OWN_FILE, VOTE_COMMENT, VOTE_VERDICT, NOT_ADMITTED
   */
  cast(
    file: string,
    vote: {
      readonly version?: string
      readonly verdict: Verdict
      readonly comment?: string
    },
    signal: AbortSignal,
  ): Promise<Vote>
  /** Votes on all versions of a file, newest first. @throws FILE_NOT_FOUND */
  of(file: string): readonly Vote[]
}

export type VotingComponents = Pick<
  FilesComponents,
  'store' | 'records' | 'directory' | 'self' | 'pins'
>

export function createVoting(components: VotingComponents): VotingService {
  const { store, records, directory, self } = components
  const { projections, state } = store
  const views = createFileViews(components)

  const checked = (file: string): FileId => {
    const entry = projections.file(file as FileId)
    if (entry === undefined) throw fileError('FILE_NOT_FOUND', { text: file.slice(0, 80) })
    return entry.file
  }
  const view = (file: FileId, version: VersionId, entry: VoteEntry): Vote | undefined => {
    const { record, user } = entry
    if (record.type !== 'vote') return undefined
    const counting = readVote(state, version, user)
    const weighed = counting?.record === record.id || counting?.record === record.identity
    return {
      record: record.id,
      file,
      version,
      user: directory.user(user),
      verdict: record.body.verdict,
      comment: record.body.comment,
      weight: weighed ? (counting?.weight ?? null) : null,
      time: record.time,
      counts: entry.latest,
      state: recordStateOf(state, entry),
    }
  }
  const votesOf = (file: FileId): Vote[] =>
    views
      .versions(file)
      .flatMap(({ version }) =>
        projections.votesOf(version).flatMap((entry) => view(file, version, entry) ?? []),
      )
      .sort((a, b) => b.time - a.time)

  return {
    cast: async (text, { version: wanted, verdict, comment = '' }, signal) => {
      const file = checked(text)
      const entry = projections.file(file)
      const known = views.versions(file).find((each) => each.version === (wanted ?? entry?.version))
      if (entry === undefined || known === undefined) {
        throw fileError('VERSION_NOT_FOUND', { version: (wanted ?? '').slice(0, 80) })
      }
      const user = self.user()
      if (entry.owner === user) throw fileError('VOTE_OWN_FILE')
      const given: string = verdict
      if (given !== 'authentic' && given !== 'suspicious') {
        throw fileError('VOTE_VERDICT', { verdict: given.slice(0, 80) })
      }
      const characters = [...comment].length
      if (characters > MAX_COMMENT_CHARACTERS || !comment.isWellFormed()) {
        throw fileError('VOTE_COMMENT', { characters, limit: MAX_COMMENT_CHARACTERS })
      }
      const body = { version: known.version, verdict, comment: comment.normalize('NFC') }
      const record = await records.publish({ type: 'vote', body }, signal)
      // What is published stands in the lists at once.
      const cast = votesOf(file).find((vote) => vote.record === record.id)
      assert(cast !== undefined, 'a vote that was published is listed')
      return cast
    },
    of: (file) => votesOf(checked(file)),
  }
}
