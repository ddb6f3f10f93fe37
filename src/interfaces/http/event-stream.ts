/**
 * The node's events as server-sent events (HTML standard, 9.2), resumable: each has an id
 * `<start of the node>-<number>`, and the newest are kept. A client that comes back with an id that is not
 * kept any more is told so by an event `gap`: it has to read the lists again.
 */

import { toHex } from '../../common/bytes.ts'
import type { Clock } from '../../common/clock.ts'
import type { NodeApi } from './api.ts'
import type { Exchange } from './route.ts'

/** Events that are kept for clients that come back: some minutes of a busy network. */
const KEPT_EVENTS = 2048
/** Bytes that may wait for a slow reader; beyond them it is cut off and comes back by its last id. */
const MAX_WAITING_BYTES = 1024 * 1024
/** Comments in between keep proxies and the connection's own timers content. */
const HEARTBEAT_MS = 15_000
/** Milliseconds after which a client comes back. */
const RETRY_MS = 2_000

export interface EventStream {
  /** Sends events until the client leaves or the node stops. `names`: only these. */
  serve(exchange: Exchange, names: readonly string[] | undefined): Promise<void>
  /** How many events of each name there were since the start. */
  counts(): ReadonlyMap<string, number>
  close(): void
}

interface Kept {
  readonly number: number
  readonly name: string
  /** Milliseconds UTC. */
  readonly time: number
  readonly payload: object
}

export function createEventStream(
  { events, clock }: { events: NodeApi['events']; clock: Clock },
  { kept = KEPT_EVENTS }: { kept?: number } = {},
): EventStream {
  const epoch = clock.now().toString(36)
  const ring: Kept[] = []
  const counts = new Map<string, number>()
  const readers = new Set<(event: Kept) => void>()
  let last = 0
  const off = events.onAny((name, payload) => {
    counts.set(name, (counts.get(name) ?? 0) + 1)
    last += 1
    const event = { number: last, name, time: clock.now(), payload }
    ring.push(event)
    if (ring.length > kept) ring.shift()
    for (const read of [...readers]) read(event)
  })
  // Made only for who reads it: a long import tells of a hundred thousand records.
  const textOf = ({ number, name, time, payload }: Kept): string => {
    const data = JSON.stringify({ time, ...plain(payload) })
    return `id: ${epoch}-${number}\nevent: ${name}\ndata: ${data}\n\n`
  }

  return {
    counts: () => counts,
    close: off,
    serve: ({ request, response, signal }, names) =>
      new Promise((resolve) => {
        response.writeHead(200, {
          'Content-Type': 'text/event-stream; charset=utf-8',
          'Cache-Control': 'no-store',
          'X-Accel-Buffering': 'no',
        })
        const wanted = (name: string): boolean => names === undefined || names.includes(name)
        const read = (event: Kept): void => {
          if (!wanted(event.name)) return
          if (response.writableLength > MAX_WAITING_BYTES) return void response.destroy()
          response.write(textOf(event))
        }
        response.write(`retry: ${RETRY_MS}\n: events of this node\n\n`)
        const since = sinceOf(request.headers['last-event-id'], epoch)
        const missed = typeof since === 'number' && since + 1 < (ring[0]?.number ?? last + 1)
        if (missed || since === 'unknown') {
          response.write(`id: ${epoch}-${last}\nevent: gap\ndata: {"time":${clock.now()}}\n\n`)
        } else if (since !== undefined) {
          for (const event of ring) if (event.number > since) read(event)
        }
        readers.add(read)
        const heartbeat = setInterval(() => response.write(':\n\n'), HEARTBEAT_MS)
        const end = (): void => {
          clearInterval(heartbeat)
          readers.delete(read)
          signal.removeEventListener('abort', end)
          response.end()
          resolve()
        }
        if (signal.aborted) end()
        else signal.addEventListener('abort', end)
      }),
  }
}

function sinceOf(
  header: string | string[] | undefined,
  epoch: string,
): number | 'unknown' | undefined {
  if (typeof header !== 'string' || header === '') return undefined
  const match = /^([\da-z]+)-(\d{1,15})$/.exec(header)
  return match?.[1] === epoch ? Number(match[2]) : 'unknown'
}

/** An event's payload as JSON: big integers as decimal text, records by what names them, bytes left out. */
function plain(payload: object): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(payload)) {
    if (typeof value === 'bigint') result[key] = value.toString()
    else if (value instanceof Uint8Array) result[key] = toHex(value)
    else if (key === 'record' && value !== null && typeof value === 'object') {
      const { id, type, device, user, sequence } = value as Record<string, unknown>
      Object.assign(result, { record: id, type, device, user, sequence })
    } else if (value === null || typeof value !== 'object') result[key] = value
  }
  return result
}
