/** JSON answers and errors. */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { CairnError, codeOf, messageOf } from '../../common/errors.ts'
import { meaningOf } from '../error-codes.ts'

/** What a client is told of an error. */
export interface ErrorBody {
  readonly code: string
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
}

/**
 * The form of any thrown value for a client. Of what this project did not throw on purpose, only the code of
 * the operating system and a general sentence are shown; the log has the rest under the request id.
 */
export function errorBody(error: unknown, requestId: string): ErrorBody {
  if (error instanceof CairnError && error.code !== 'ASSERTION') {
    return { code: error.code, message: error.message, details: unpacked(error.details) }
  }
  const code = codeOf(error)
  const known = meaningOf(code).http !== 500 || /^E[A-Z]+$/.test(code)
  return {
    code: known ? code : 'INTERNAL',
    message: known
      ? `The operation failed: ${messageOf(error)}.`
      : 'The node met an error that it did not expect. Its log has the details.',
    details: { request: requestId },
  }
}

/** The request's id, also in its answer: the client's own when it is a plain word, else a random one. */
export function nameRequest(request: IncomingMessage, response: ServerResponse): string {
  const given = request.headers['x-request-id']
  const id = typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID()
  response.setHeader('X-Request-Id', id)
  return id
}

/** Lists travel in details as JSON text (details are flat); clients get them as lists. */
function unpacked(details: CairnError['details']): Record<string, unknown> {
  const result: Record<string, unknown> = { ...details }
  const { candidates } = details
  if (typeof candidates === 'string' && candidates.startsWith('[')) {
    try {
      result.candidates = JSON.parse(candidates)
    } catch {
      // It is shown as it is.
    }
  }
  return result
}

/** Ends `response` with JSON. */
export function sendJson(
  response: ServerResponse,
  status: number,
  json: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = Buffer.from(`${JSON.stringify(json)}\n`)
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': body.length,
    'Cache-Control': 'no-store',
    ...headers,
  })
  response.end(response.req.method === 'HEAD' ? undefined : body)
}
