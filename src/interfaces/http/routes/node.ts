/** The node itself: health, figures, events, checks, stop. */
import type { Clock } from '../../../common/clock.ts'
import type { FullStatus, NodeApi } from '../api.ts'
import type { EventStream } from '../event-stream.ts'
import { METRICS_TYPE, metricsText } from '../metrics.ts'
import { objectOf, ok, type Route, route } from '../route.ts'

export interface NodeRoutesComponents {
  readonly node: Pick<NodeApi, 'status' | 'check' | 'recovery'>
  readonly stream: EventStream
  readonly clock: Clock
  /** Where the servers listen, when they do. */
  readonly urls: () => FullStatus['urls']
  /** Begins the stop of the whole process; does not wait for it. */
  readonly shutdown: () => void
}

const NAMES = {
  type: 'string',
  maxLength: 1024,
  description: 'only these, with commas between',
} as const

export function nodeRoutes({ node, stream, clock, urls, shutdown }: NodeRoutesComponents): Route[] {
  return [
    route('GET', '/health', {
      summary: 'Whether the node serves',
      open: true,
      reply: 'Health',
      gives: '{"status":"ok"}',
      handle: () => ok({ status: 'ok' }),
    }),
    route('GET', '/api/v1/status', {
      summary: 'What the node has, knows and does',
      reply: 'Status',
      gives: 'the figures',
      handle: async () => {
        const status: FullStatus = {
          ...(await node.status()),
          pid: process.pid,
          now: clock.now(),
          memory: process.memoryUsage.rss(),
          recovery: { here: node.recovery.here, tested: node.recovery.tested },
          urls: urls(),
        }
        return ok(status)
      },
    }),
    route('GET', '/metrics', {
      summary: 'The figures for Prometheus',
      type: 'text/plain',
      gives: 'the figures',
      handle: async ({ response, request }) => {
        const text = metricsText(await node.status(), stream.counts(), {
          memory: process.memoryUsage.rss(),
          now: clock.now(),
        })
        response.writeHead(200, { 'Content-Type': METRICS_TYPE, 'Cache-Control': 'no-store' })
        response.end(request.method === 'HEAD' ? undefined : text)
        return undefined
      },
    }),
    route('GET', '/api/v1/events', {
      summary: 'What happens, as server-sent events; resumable by Last-Event-ID',
      query: objectOf({ names: NAMES }),
      type: 'text/event-stream',
      gives: 'the events, without end',
      handle: async (exchange) => {
        if (exchange.request.method === 'HEAD') {
          exchange.response.writeHead(200, { 'Content-Type': 'text/event-stream' })
          return undefined
        }
        await stream.serve(exchange, exchange.query.names?.split(','))
        return undefined
      },
    }),
    route('GET', '/api/v1/checks', {
      summary: 'What may be wrong, and what to do',
      query: objectOf({ deep: { type: 'boolean', description: 'read and hash the content too' } }),
      reply: { items: 'Check' },
      gives: '{items}',
      handle: async ({ query, signal }) =>
        ok({ items: await node.check({ deep: query.deep ?? false }, signal) }),
    }),
    route('POST', '/api/v1/shutdown', {
      summary: 'Stop the node; everything is flushed first',
      status: 202,
      reply: 'Stopping',
      gives: '{"stopping":true}',
      handle: ({ response }) => {
        response.setHeader('Connection', 'close')
        response.once('close', shutdown)
        return { status: 202, json: { stopping: true } }
      },
    }),
  ]
}
