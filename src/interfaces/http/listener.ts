/** A listening socket with bounds, shared by the API and the gateway. */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { codeOf, messageOf } from '../../common/errors.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/logger.ts'
import { interfaceError } from '../errors.ts'
import { errorBody } from './answer.ts'

/** Connections at a time: browsers open six each; scripts with a thousand are asked to take turns. */
const MAX_CONNECTIONS = 256
/** Milliseconds for the head of a request to arrive. */
const HEADERS_MS = 10_000
/** Milliseconds that an idle connection is kept for the next request. */
const KEEP_ALIVE_MS = 5_000
/** Milliseconds for answers under way when the server stops. */
const STOP_MS = 2_000

export interface ListenerInit {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  /** What the port is for, and the flag that changes it: for the error when it is in use. */
  readonly purpose: { readonly what: string; readonly flag: string }
}

export interface WebServer extends Startable {
  /** `http://host:port`; undefined while it does not listen. */
  readonly url: string | undefined
}

export interface ListenerComponents {
  readonly logger: Logger
  /** Answers one request. `signal` aborts when the client leaves or the server stops. Never throws. */
  serve(request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void>
}

export function createListener(
  { logger, serve }: ListenerComponents,
  { host, port, purpose }: ListenerInit,
): WebServer {
  let stopping = new AbortController()
  let url: string | undefined
  const answering = new WeakSet<Duplex>()
  const server = createServer(
    { keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: HEADERS_MS, requestTimeout: 0 },
    (request, response) => {
      const client = new AbortController()
      const stop = (): void => client.abort(interfaceError('NODE_STOPPING'))
      stopping.signal.addEventListener('abort', stop)
      answering.add(request.socket)
      response.once('close', () => {
        answering.delete(request.socket)
        stopping.signal.removeEventListener('abort', stop)
        if (!response.writableFinished) client.abort(interfaceError('INTERRUPTED'))
      })
      // A reset while nobody reads is no error of ours; readers get it from the stream itself.
      request.on('error', () => {})
      response.on('error', () => {})
      serve(request, response, client.signal).catch((error: unknown) => {
        logger.error('an answer broke', { error: messageOf(error) })
        response.destroy()
      })
    },
  )
  server.maxConnections = MAX_CONNECTIONS
  // Every request under way listens to the stop.
  server.on('clientError', (error, socket) => {
    // In the middle of an answer another one would become part of its bytes.
    if (!socket.writable || answering.has(socket)) socket.destroy()
    else socket.end(refusalOf(codeOf(error)))
  })

  return {
    get url() {
      return url
    },
    start: () =>
      new Promise((resolve, reject) => {
        if (server.listening) return resolve()
        stopping = new AbortController()
        const failed = (error: Error): void => {
          const details = { port, host, what: purpose.what, flag: purpose.flag }
          reject(
            codeOf(error) === 'EADDRINUSE'
              ? interfaceError('PORT_IN_USE', details, error)
              : interfaceError('PORT_REFUSED', { ...details, why: messageOf(error) }, error),
          )
        }
        server.once('error', failed)
        server.listen(port, host, () => {
          server.off('error', failed)
          server.on('error', (error) => logger.error('the listener failed', { error }))
          const address = server.address()
          const actual = address !== null && typeof address === 'object' ? address.port : port
          url = `http://${isIP(host) === 6 ? `[${host}]` : host}:${actual}`
          resolve()
        })
      }),
    stop: () =>
      new Promise((resolve) => {
        if (!server.listening) return resolve()
        url = undefined
        const deadline = setTimeout(() => server.closeAllConnections(), STOP_MS)
        server.close(() => {
          clearTimeout(deadline)
          resolve()
        })
        stopping.abort()
        server.closeIdleConnections()
      }),
  }
}

/** What is no request gets the same form of error as a request that is refused. */
function refusalOf(code: string): string {
  const status =
    code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request'
  const id = randomUUID()
  const problem = { where: 'the request', found: 'no HTTP', allowed: 'an HTTP/1.1 request' }
  const body = JSON.stringify({ error: errorBody(interfaceError('BAD_REQUEST', problem), id) })
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${id}`,
    'Connection: close',
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}
