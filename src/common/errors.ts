/**
 * The one error class. A domain lists its codes in one file (`<layer>/errors.ts`) and throws through
 * a function made by `errorFamily`, so that a code is typed, documented and found by searching for it.
 * Nothing in this project matches on message text.
 */

import { count } from './plural.ts'

/** What a domain says of one of its codes. */
export interface ErrorEntry {
  /**
   * What happened and what to do, for a person. `{name}` is replaced by the detail of that name, `{name:file}` by
   * that number of files: `1 file`, `2 files`.
   */
  readonly says: string
  /**
   * For what came from a peer: `reject` counts against the peer that sent it (it could have known),
   * `ignore` does not.
   */
  readonly verdict?: 'reject' | 'ignore'
}

export type ErrorDetails = Readonly<Record<string, string | number | boolean | null | undefined>>

/** Every error that this project throws on purpose. `assert` is for bugs, never for input. */
export class CairnError<Code extends string = string> extends Error {
  readonly code: Code
  readonly details: ErrorDetails
  readonly verdict: 'reject' | 'ignore' | undefined

  constructor(
    code: Code,
    message: string,
    options: { details?: ErrorDetails; verdict?: 'reject' | 'ignore'; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'CairnError'
    this.code = code
    this.details = options.details ?? {}
    this.verdict = options.verdict
  }
}

/**
 * The constructor function of a domain's errors: `const chainError = errorFamily(CHAIN_ERRORS)`, then
 * `throw chainError('BLOCK_POW', { id })`.
 */
export function errorFamily<const Table extends Readonly<Record<string, ErrorEntry>>>(
  table: Table,
): (
  code: keyof Table & string,
  details?: ErrorDetails,
  cause?: unknown,
) => CairnError<keyof Table & string> {
  return (code, details = {}, cause) => {
    const entry = table[code]
    assert(entry !== undefined, `unknown error code ${code}`)
    const message = entry.says.replace(
      /\{(\w+)(?::(\w+))?\}/g,
      (_, name: string, unit?: string) => {
        const detail = details[name] ?? '?'
        if (unit === undefined) return String(detail)
        return typeof detail === 'number' ? count(detail, unit) : `${detail} ${unit}s`
      },
    )
    return new CairnError(code, message, {
      details,
      ...(entry.verdict === undefined ? {} : { verdict: entry.verdict }),
      ...(cause === undefined ? {} : { cause }),
    })
  }
}

/** What every decoder throws for bytes that are not what they claim to be. */
export function encodingError(why: string, cause?: unknown): CairnError<'ENCODING'> {
  return new CairnError('ENCODING', `The data is malformed: ${why}.`, {
    verdict: 'reject',
    ...(cause === undefined ? {} : { cause }),
  })
}

/** The code of any thrown value: a CairnError's, a system error's (`ENOSPC`), or `INTERNAL`. */
export function codeOf(error: unknown): string {
  if (
    error !== null &&
    typeof error === 'object' &&
    'code' in error &&
    typeof error.code === 'string'
  ) {
    return error.code
  }
  return 'INTERNAL'
}

/** The message of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** For bugs: what the code itself guarantees. Never for input. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new CairnError('ASSERTION', `bug: ${message}`)
}
