/** A local HTTP server for tests, with the whole body of each request at hand. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

export interface Request {
  readonly method: string
  readonly url: URL
  /** The path and query as they were sent. */
  readonly target: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

export interface LocalService {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string
  stop(): Promise<void>
}

/** Serves what `answer` says; it may write to the response itself and return nothing. */
export async function serve(
  answer: (
    request: Request,
    response: ServerResponse,
  ) => Reply | undefined | Promise<Reply | undefined>,
): Promise<LocalService> {
  const sockets = new Set<Socket>()
  const server = createServer((incoming, response) => {
    const parts: Buffer[] = []
    incoming.on('data', (part: Buffer) => parts.push(part))
    incoming.on('error', () => {})
    incoming.on('end', () => {
      const target = incoming.url ?? '/'
      const request = {
        method: incoming.method ?? '',
        url: new URL(target, origin),
        target,
        headers: incoming.headers,
        body: Buffer.concat(parts),
      }
      Promise.resolve()
        .then(() => answer(request, response))
        .then(
          (reply) => {
            if (reply === undefined) return
            response.writeHead(reply.status, { ...reply.headers }).end(reply.body)
          },
          (error: unknown) => response.writeHead(500).end(String(error)),
        )
    })
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const origin = `http://127.0.0.1:${address.port}`
  return {
    origin,
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export const json = (status: number, value: unknown): Reply => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
})

/** The parts of a multipart body: headers and bytes. */
export function multipart(request: Request): { readonly head: string; readonly bytes: Buffer }[] {
  const boundary = /boundary=([\w-]+)$/.exec(request.headers['content-type'] ?? '')?.[1]
  if (boundary === undefined) return []
  const mark = Buffer.from(`--${boundary}`)
  const parts: { head: string; bytes: Buffer }[] = []
  for (let at = request.body.indexOf(mark); at >= 0; ) {
    const next = request.body.indexOf(mark, at + mark.length)
    if (next < 0) break
    // Between the marks: line end, headers, empty line, bytes, line end.
    const part = request.body.subarray(at + mark.length + 2, next - 2)
    const split = part.indexOf('\r\n\r\n')
    if (split < 0) return []
    parts.push({ head: part.subarray(0, split).toString(), bytes: part.subarray(split + 4) })
    at = next
  }
  return parts
}
