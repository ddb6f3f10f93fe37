/** What people do on a node while it is killed, and what they were told is done. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { codeOf } from '../../src/common/errors.ts'
import type { Client } from '../../src/interfaces/client/client.ts'
import type { AddedFile, Vote } from '../../src/interfaces/http/api-files.ts'
import type { Random } from './random.ts'

/** What a node answered: it must be there for ever. */
export interface Acknowledged {
  readonly kind: 'add' | 'update' | 'vote'
  readonly record: string
  readonly file: string
  /** Of an added or updated file. */
  readonly version?: string
  readonly sha256?: string
}

/** Bytes of an added file, usually and now and then: one chunk, and several. */
const SMALL_BYTES = 60_000
const LARGE_BYTES = 3_000_000
/** Milliseconds for one answer. */
const ANSWER_MS = 60_000
/** A node may say so: the file has not come yet, was voted on by its owner, or the node was killed meanwhile. */
const FAIR_REFUSALS = new Set([
  'FILE_NOT_FOUND',
  'VOTE_OWN_FILE',
  'NO_NODE',
  'NODE_SILENT',
  'NODE_ANSWER',
  'NODE_CUT',
  'NODE_STOPPING',
])

/**
 * Adds, updates or votes once. Undefined: it was not acknowledged.
 *
 * @param own - acknowledged by this node before
 * @param others - acknowledged by other nodes
 * @throws when the node refuses what it has no reason to refuse
 */
export async function actOnce(
  client: Client,
  random: Random,
  own: readonly Acknowledged[],
  others: readonly Acknowledged[],
): Promise<Acknowledged | undefined> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS)
    const dice = random.next()
    const known = random.pick(others)
    if (dice < 0.25 && known !== undefined) {
      const json = {
        verdict: random.chance(0.8) ? 'authentic' : 'suspicious',
        comment: `comment ${random.between(0, 1e9)}`,
      }
      const vote = await client.call<Vote>(
        'POST',
        `/api/v1/files/${known.file}/votes`,
        { json },
        signal,
      )
      return { kind: 'vote', record: vote.record, file: vote.file }
    }
    const bytes = random.bytes(random.between(1, random.chance(0.1) ? LARGE_BYTES : SMALL_BYTES))
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const body = Readable.from([bytes])
    const mine = random.pick(own.filter(({ kind }) => kind === 'add'))
    if (dice < 0.4 && mine !== undefined) {
      const path = `/api/v1/files/${mine.file}/versions`
      const added = await client.call<AddedFile>('POST', path, { body }, signal)
      return acknowledged('update', added, sha256)
    }
    const query = { name: `file ${random.between(0, 1e9)}`, visibility: 'public' }
    const added = await client.call<AddedFile>('POST', '/api/v1/files', { query, body }, signal)
    return acknowledged('add', added, sha256)
  } catch (error) {
    if (FAIR_REFUSALS.has(codeOf(error)) || isTimeout(error)) return undefined
    throw error
  }
}

function acknowledged(kind: 'add' | 'update', added: AddedFile, sha256: string): Acknowledged {
  const { record, file, version } = added
  return { kind, record, file, version, sha256 }
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError'
}

/** SHA-256 of a version as the node gives it. */
export async function contentHash(client: Client, file: string, version: string): Promise<string> {
  const signal = AbortSignal.timeout(ANSWER_MS)
  const path = `/api/v1/files/${file}/content`
  const response = await client.open('GET', path, { query: { version } }, signal)
  const hash = createHash('sha256')
  for await (const chunk of response) hash.update(chunk)
  return hash.digest('hex')
}
