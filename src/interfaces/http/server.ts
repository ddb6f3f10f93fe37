/**
 * The HTTP API: finds the route, checks who asks and what, runs the handler, answers. Plain node:http: a
 * framework costs 20 MB of resident memory in every idle node.
 *
 * owns: connections, limits in size and time, the form of errors, request ids
 * does not own: what a route does (routes/)
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { codeOf, messageOf } from '../../common/errors.ts'
import { KIB } from '../../common/limits.ts'
import type { Logger } from '../../common/logger.ts'
import { meaningOf } from '../error-codes.ts'
import { type InterfaceErrorCode, interfaceError } from '../errors.ts'
import { check, fromText, type ObjectSchema } from '../json-schema.ts'
import { errorBody, nameRequest, sendJson } from './answer.ts'
import { carriesToken, checkHost, checkOrigin } from './guard.ts'
import { createListener, type ListenerInit, type WebServer } from './listener.ts'
import type { Exchange, Route } from './route.ts'
import { createRouter } from './router.ts'
import { discardBody, STALL_MS, wholeBody } from './streams.ts'

/** Bytes of a JSON body: a vote with the longest comment, several times. */
export const MAX_JSON_BYTES: number = 64 * KIB
/** Milliseconds without traffic after which an event stream or a long answer shows that it lives. */
export const HEARTBEAT_MS = 10_000

export interface HttpServerComponents {
  readonly routes: readonly Route[]
  readonly token: string
  readonly logger: Logger
}

export interface HttpServerInit extends ListenerInit {
  /** Host names, beyond addresses and localhost, under which this node may be spoken to. */
  readonly allowedHosts: readonly string[]
}

/** @throws from `start`: PORT_IN_USE, PORT_REFUSED */
export function createHttpServer(
  { routes, token, logger }: HttpServerComponents,
  init: HttpServerInit,
): WebServer {
  const router = createRouter(routes)
  const log = logger.child('http')

  async function serve(
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const id = nameRequest(request, response)
    response.setHeader('X-Content-Type-Options', 'nosniff')
    response.setHeader('Referrer-Policy', 'no-referrer')
    response.setHeader('Cross-Origin-Resource-Policy', 'same-origin')
    try {
      checkHost(request, init.allowedHosts)
      checkOrigin(request)
      const { pathname, query } = splitUrl(request.url ?? '/')
      const { route, params } = router.find(request.method ?? 'GET', pathname)
      if (!route.open && !carriesToken(request, token)) throw interfaceError('TOKEN_REQUIRED')
      const exchange: Exchange = {
        id,
        request,
        response,
        params,
        query: readQuery(route.query, query),
        body: await readBody(route.body, request),
        signal,
      }
      const answer = await route.handle(exchange)
      if (answer !== undefined) sendJson(response, answer.status, answer.json, answer.headers)
      else if (!response.writableEnded) response.end()
    } catch (error) {
      fail(request, response, signal, error, id)
    }
  }

  function fail(
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
    error: unknown,
    id: string,
  ): void {
    // Nobody is there to be told; what was under way ended by the signal.
    if (response.destroyed || (signal.aborted && request.destroyed)) return
    const shown = signal.aborted ? interfaceError('NODE_STOPPING') : error
    const { http } = meaningOf(codeOf(shown))
    const fields = { request: id, code: codeOf(error), method: request.method }
    if (http === 500) log.error('a request failed', { ...fields, error: messageOf(error) })
    else log.debug('a request was refused', fields)
    // An answer under way cannot turn into an error any more: it is cut, so that it cannot pass for whole. What
    // was right of it still goes out: whoever asks for the rest then hears why there is none.
    if (response.headersSent) {
      if (!response.writableEnded) cutOff(response)
      return
    }
    const headers: Record<string, string> = {}
    const code = codeOf(shown) as InterfaceErrorCode
    if (code === 'TOKEN_REQUIRED') headers['WWW-Authenticate'] = 'Bearer realm="cairn"'
    if (code === 'METHOD_NOT_ALLOWED') headers.Allow = String(errorBody(shown, id).details.allowed)
    if (http === 503) headers['Retry-After'] = '1'
    for (const name of response.getHeaderNames()) {
      if (/^content-(?!range|security)/.test(name)) response.removeHeader(name)
    }
    response.removeHeader('etag')
    if (!request.complete) headers.Connection = 'close'
    sendJson(response, http, { error: errorBody(shown, id) }, headers)
    discardBody(request)
  }

  return createListener({ logger: log, serve }, init)
}

/** Ends the connection after what was written, or when nobody reads that. */
function cutOff({ socket }: ServerResponse): void {
  socket?.setTimeout(STALL_MS, () => socket.destroy())
  socket?.destroySoon()
}

/** Path and query of a request target; an absolute form (proxies) is reduced to them. */
export function splitUrl(target: string): { pathname: string; query: URLSearchParams } {
  const relative = target.replace(/^https?:\/\/[^/?#]*/i, '')
  const mark = relative.indexOf('?')
  return {
    pathname: mark === -1 ? relative : relative.slice(0, mark),
    query: new URLSearchParams(mark === -1 ? '' : relative.slice(mark + 1)),
  }
}

function readQuery(schema: ObjectSchema | undefined, query: URLSearchParams): unknown {
  const value: Record<string, unknown> = {}
  for (const [key, text] of query) {
    const property = schema?.properties[key]
    value[key] = property === undefined ? text : fromText(property, text)
  }
  refuse(schema ?? NO_QUERY, value, 'query')
  return value
}

const NO_QUERY = { type: 'object', properties: {}, additionalProperties: false } as const

async function readBody(
  schema: ObjectSchema | undefined,
  request: IncomingMessage,
): Promise<unknown> {
  if (schema === undefined) return undefined
  const type = request.headers['content-type'] ?? 'application/json'
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw interfaceError('MEDIA_TYPE_UNKNOWN', {
      found: type.slice(0, 100),
      allowed: 'application/json',
    })
  }
  const bytes = await wholeBody(request, MAX_JSON_BYTES)
  let value: unknown = {}
  try {
    if (bytes.length > 0) value = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw interfaceError('BAD_REQUEST', {
      where: 'body',
      found: 'no JSON',
      allowed: 'a JSON object',
    })
  }
  refuse(schema, value, 'body')
  return value
}

function refuse(schema: ObjectSchema, value: unknown, where: string): void {
  const [problem] = check(schema, value, where)
  if (problem !== undefined) throw interfaceError('BAD_REQUEST', { ...problem })
}
