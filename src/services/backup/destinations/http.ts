/**
 * The HTTP client of the destinations that are services: no redirects (they would carry credentials elsewhere), a
 * bound on every answer, a limit on silence, connections that are let go.
 */
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'
import { codeOf } from '../../../common/errors.ts'
import { backupError } from '../errors.ts'

/** Milliseconds without a byte in either direction after which a connection counts as dead. */
const SILENCE_MS = 30_000
/** Bytes of an answer that is no object: lists of 1,000 entries take some hundred kilobytes. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024
/** Connections to one service: what a backup and a restore at the same time use. */
const MAX_SOCKETS = 8
/** Hosts of this computer: the only ones to which a token may go without TLS. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

export interface HttpRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  readonly signal: AbortSignal
  /** Bytes that the answer may have at most. */
  readonly maxBytes?: number
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Uint8Array
}

export interface Http {
  /**
   * One request, answered whole, whatever its status.
   *
   * @throws DESTINATION_UNREACHABLE, DESTINATION_FAILED (an answer above its bound), the signal's reason
   */
  send(request: HttpRequest): Promise<HttpAnswer>
  close(): void
}

/** The HTTP client of one destination, named in its errors. */
export function createHttp(destination: string): Http {
  const options = { keepAlive: true, maxSockets: MAX_SOCKETS }
  const plain = new Agent(options)
  const secure = new SecureAgent(options)

  const once = (sent: HttpRequest): Promise<HttpAnswer> =>
    new Promise((resolve, reject) => {
      const { url, method, body, signal, headers, maxBytes = MAX_ANSWER_BYTES } = sent
      const tls = url.protocol === 'https:'
      const length = body === undefined ? {} : { 'content-length': body.length }
      const call = (tls ? secureRequest : request)(url, {
        method,
        headers: { 'user-agent': 'cairn', ...headers, ...length },
        agent: tls ? secure : plain,
        timeout: SILENCE_MS,
      })
      let answered = false
      const settled = (): void => signal.removeEventListener('abort', stop)
      const fail = (error: unknown): void => {
        settled()
        call.destroy()
        reject(error)
      }
      const stop = (): void => fail(signal.reason)
      signal.addEventListener('abort', stop, { once: true })
      call.on('timeout', () => fail(silent(destination)))
      // A service may answer and hang up before it took the whole body: its answer counts, not the broken pipe.
      call.on('error', (error) => {
        if (!answered) fail(new Unsent(error, call.reusedSocket))
      })
      call.on('response', (answer) => {
        answered = true
        collect(answer, maxBytes, destination).then((bytes) => {
          settled()
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: bytes })
        }, fail)
      })
      call.end(body)
    })

  return {
    send: async (sent) => {
      sent.signal.throwIfAborted()
      try {
        return await once(sent)
      } catch (error) {
        if (!(error instanceof Unsent)) throw error
        // The service closed a kept connection at the moment that it was used again: that is no failure of it.
        if (error.reused && !sent.signal.aborted) {
          try {
            return await once(sent)
          } catch (again) {
            throw again instanceof Unsent ? unreachable(destination, again.error) : again
          }
        }
        throw unreachable(destination, error.error)
      }
    },
    close: () => {
      plain.destroy()
      secure.destroy()
    },
  }
}

/** A connection that broke before an answer. */
class Unsent extends Error {
  readonly error: unknown
  readonly reused: boolean

  constructor(error: unknown, reused: boolean) {
    super('unsent')
    this.error = error
    this.reused = reused
  }
}

const unreachable = (destination: string, error: unknown): Error =>
  backupError('DESTINATION_UNREACHABLE', { destination, why: codeOf(error) }, error)

const silent = (destination: string): Error =>
  backupError('DESTINATION_UNREACHABLE', { destination, why: `silent for ${SILENCE_MS / 1000} s` })

async function collect(
  answer: IncomingMessage,
  maxBytes: number,
  destination: string,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let size = 0
  try {
    for await (const part of answer) {
      if (!(part instanceof Uint8Array)) continue
      size += part.length
      if (size > maxBytes) break
      parts.push(part)
    }
  } catch (error) {
    const why = `its answer was cut after ${size} bytes (${codeOf(error)})`
    throw backupError('DESTINATION_UNREACHABLE', { destination, why }, error)
  }
  if (size > maxBytes) {
    const why = `an answer of more than ${maxBytes} bytes`
    throw backupError('DESTINATION_FAILED', { destination, why })
  }
  const whole = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/**
 * The address of a service, without a trailing slash.
 *
 * @throws DESTINATION_SETTING when it is none, carries a password, or would send a token without TLS
 */
export function serviceUrl(
  text: string,
  from: { readonly variable: string; readonly destination: string; readonly token: boolean },
): URL {
  const refuse = (why: string): Error => backupError('DESTINATION_SETTING', { ...from, why })
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) throw refuse('it is no http(s) address')
  if (url.username !== '' || url.password !== '') throw refuse('it contains a password')
  if (url.search !== '' || url.hash !== '') throw refuse('it has a query or a fragment')
  if (from.token && url.protocol === 'http:' && !LOOPBACK.test(url.hostname)) {
    throw refuse('the token would travel without TLS: it has to begin with https://')
  }
  url.pathname = url.pathname.replace(/\/+$/, '')
  return url
}

/** `base` with more path, whose parts are escaped, and a query. */
export function at(
  base: URL,
  parts: readonly string[],
  query: Readonly<Record<string, string | undefined>> = {},
): URL {
  const path = parts.map((part) => `/${encodeURIComponent(part)}`).join('')
  const url = new URL(`${base.origin}${base.pathname.replace(/\/$/, '')}${path}`)
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(key, value)
  }
  return url
}
