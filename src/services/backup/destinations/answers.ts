/** What answers of services mean, for all of them alike. Nothing that a service wrote comes into an error unchecked. */
import type { CairnError } from '../../../common/errors.ts'
import { backupError } from '../errors.ts'
import type { HttpAnswer } from './http.ts'

/** Bytes of an object: what PostgreSQL can keep as base64 in one field (1 GB) and a node can hold at once. */
export const MAX_OBJECT_BYTES = 256 * 1024 * 1024
/** Objects that a list may have: far more than retention leaves, and some hundred megabytes of memory. */
const MAX_LISTED = 1_000_000
/** Milliseconds that a service may ask to wait: more is taken for a mistake of its clock. */
const MAX_RETRY_AFTER_MS = 3_600_000
/** Error codes of services: `SignatureDoesNotMatch`, `KEYS_MUST_BE_STRINGS`, `rateLimitExceeded`. */
const WORD = /^[A-Za-z][\w.-]{0,63}$/
/** S3's words for an object that is too large, and for a store that is full. */
const TOO_LARGE = new Set(['EntityTooLarge'])
const FULL = new Set(['QuotaExceeded', 'XMinioStorageFull', 'InsufficientStorage'])

export interface AnswerContext {
  readonly destination: string
  /** Milliseconds UTC. */
  readonly now: number
  /** The object that was asked for: a 404 is about it. */
  readonly object?: string
  /** Bytes that were sent. */
  readonly size?: number
}

/** Whether the service did what it was asked to do. */
export function succeeded(answer: HttpAnswer): boolean {
  return answer.status >= 200 && answer.status < 300
}

/** The error that an answer without success is. */
export function answerError(answer: HttpAnswer, context: AnswerContext): CairnError {
  const { destination, object: name, size } = context
  const { status } = answer
  const word = wordOf(answer.body)
  const why = word === undefined ? `status ${status}` : `status ${status}, ${word}`
  const details = { destination, status, why, name, size }
  if (status === 413 || (word !== undefined && TOO_LARGE.has(word))) {
    return backupError('DESTINATION_TOO_LARGE', details)
  }
  if (status === 402 || status === 507 || (word !== undefined && FULL.has(word))) {
    return backupError('DESTINATION_FULL', details)
  }
  if (status === 401 || status === 403) return backupError('DESTINATION_REFUSED', details)
  if (status === 404) {
    return name === undefined || word === 'NoSuchBucket'
      ? backupError('DESTINATION_REFUSED', details)
      : backupError('OBJECT_NOT_FOUND', details)
  }
  if (status === 429 || status === 503) {
    const retryAfter = retryAfterOf(answer, context.now)
    return backupError('DESTINATION_BUSY', { ...details, retryAfter })
  }
  if (status === 408 || status === 502 || status === 504) {
    return backupError('DESTINATION_UNREACHABLE', details)
  }
  return backupError('DESTINATION_FAILED', details)
}

/** The JSON object of a successful answer. @throws DESTINATION_FAILED when it is none */
export function jsonOf(answer: HttpAnswer, destination: string): Readonly<Record<string, unknown>> {
  const value = parsed(answer.body)
  if (isObject(value)) return value
  throw malformed(destination, 'no JSON object')
}

/** For answers that are not of the documented form. */
export function malformed(destination: string, why: string): CairnError {
  return backupError('DESTINATION_FAILED', { destination, why })
}

/** @throws DESTINATION_FAILED when a list goes on and on */
export function mustEnd(listed: number, destination: string): void {
  if (listed > MAX_LISTED) throw malformed(destination, `a list of more than ${MAX_LISTED} objects`)
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Milliseconds UTC of an ISO time. @throws DESTINATION_FAILED */
export function timeOf(value: unknown, destination: string): number {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN
  if (!Number.isFinite(time)) throw malformed(destination, 'no time')
  return time
}

/** A number of bytes, as number or text. @throws DESTINATION_FAILED */
export function sizeOf(value: unknown, destination: string): number {
  const size = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw malformed(destination, 'no size')
  }
  return size
}

/** What a service calls its error, in S3's XML, Google's and the pinning services' JSON. */
export function wordOf(body: Uint8Array): string | undefined {
  const text = Buffer.from(body.subarray(0, 4096)).toString('utf8')
  const xml = /<Code>([^<]*)<\/Code>/.exec(text)?.[1]
  const found = xml ?? jsonWord(parsed(body))
  return found !== undefined && WORD.test(found) ? found : undefined
}

function jsonWord(value: unknown): string | undefined {
  if (!isObject(value)) return undefined
  const { error } = value
  if (typeof error === 'string') return error
  if (!isObject(error)) return undefined
  // Google: { error: { code: 403, errors: [{ reason }] } }; pinning services: { error: { reason } }.
  const first = Array.isArray(error.errors) ? error.errors[0] : undefined
  const word = isObject(first) ? first.reason : error.reason
  return typeof word === 'string' ? word : undefined
}

function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'))
  } catch {
    return undefined
  }
}

/** Milliseconds to wait, of a `Retry-After` in seconds or as a date. */
function retryAfterOf(answer: HttpAnswer, now: number): number | undefined {
  const text = answer.headers['retry-after']
  if (text === undefined) return undefined
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS) : undefined
}
