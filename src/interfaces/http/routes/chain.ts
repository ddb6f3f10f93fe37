/** The chain: blocks, records, a check of everything, a CAR of it. */
import type { NodeEvents } from '../../../services/events.ts'
import { interfaceError } from '../../errors.ts'
import type { NodeApi } from '../api.ts'
import type { ChainApi, RecordDetail } from '../api-chain.ts'
import { answerWithProgress } from '../progress.ts'
import { objectOf, ok, type Route, route } from '../route.ts'
import { sendAll } from '../streams.ts'
import { DEFAULT_PAGE, limit } from './files.ts'

/** Seconds that a client may wait for a record's confirmation, and does unless it says otherwise. */
const MAX_WAIT_SECONDS = 600
const DEFAULT_WAIT_SECONDS = 60

export function chainRoutes({
  chain,
  records,
  events,
}: Pick<NodeApi, 'chain' | 'records' | 'events'>): Route[] {
  return [
    route('GET', '/api/v1/chain', {
      summary: 'The best chain at a glance',
      reply: 'Chain',
      gives: 'the summary',
      handle: async () => {
        await chain.counted()
        return ok(chain.summary())
      },
    }),
    route('GET', '/api/v1/chain/blocks', {
      summary: 'Blocks of the best chain, newest first',
      query: objectOf({
        limit,
        below: { type: 'integer', minimum: 0, description: 'only blocks below this height' },
      }),
      reply: { items: 'BlockSummary', next: true },
      gives: '{items, next}; "next" is the "below" of the next page',
      handle: ({ query }) => ok(chain.blocks({ ...query, limit: query.limit ?? DEFAULT_PAGE })),
    }),
    route('GET', '/api/v1/chain/blocks/:id', {
      summary: 'One block with its records; :id is an id, the beginning of one, or a height',
      reply: 'Block',
      gives: 'the block',
      handle: ({ params }) => ok(chain.block(params.id ?? '')),
    }),
    route('POST', '/api/v1/chain/verify', {
      summary: 'Check the whole chain again, from genesis',
      reply: 'Verification',
      progress: true,
      gives: 'what was found',
      handle: (exchange) =>
        answerWithProgress(exchange, 200, (onProgress) =>
          chain.verify(exchange.signal, (bytes, total) => onProgress({ bytes, total })),
        ),
    }),
    route('GET', '/api/v1/chain/export', {
      summary:
        'Headers and bodies of the best chain as a CAR file (version 1); its root is the tip',
      type: 'application/vnd.ipld.car',
      gives: 'the CAR',
      handle: async ({ request, response, signal }) => {
        response.setHeader('Content-Type', 'application/vnd.ipld.car; version=1')
        response.setHeader('Content-Disposition', 'attachment; filename="chain.car"')
        if (request.method !== 'HEAD') await sendAll(response, carOf(chain, signal), signal)
        return undefined
      },
    }),
    route('GET', '/api/v1/records', {
      summary: 'Records, newest first',
      query: objectOf({
        pending: {
          type: 'boolean',
          description: 'only those that no block of the best chain holds',
        },
        limit,
        after: {
          type: 'string',
          minLength: 1,
          maxLength: 512,
          description: '"next" of the page before',
        },
      }),
      reply: { items: 'RecordSummary', next: true },
      gives: '{items, next}',
      handle: ({ query }) => ok(records.list({ ...query, limit: query.limit ?? DEFAULT_PAGE })),
    }),
    route('GET', '/api/v1/records/:id', {
      summary: 'One record; may wait until it is confirmed',
      query: objectOf({
        wait: { type: 'string', enum: ['confirmed'] },
        timeout: {
          type: 'integer',
          minimum: 1,
          maximum: MAX_WAIT_SECONDS,
          default: DEFAULT_WAIT_SECONDS,
          description: 'seconds to wait; the record is given as it then stands',
        },
      }),
      reply: 'Record',
      gives: 'the record',
      handle: async ({ params, query, signal }) => {
        const seconds = query.timeout ?? DEFAULT_WAIT_SECONDS
        if (query.wait === undefined) return ok(records.get(params.id ?? ''))
        return ok(await confirmed({ records, events }, params.id ?? '', seconds * 1000, signal))
      },
    }),
  ]
}

/** The record as it stands when it is confirmed, or after `ms`. */
function confirmed(
  { records, events }: Pick<NodeApi, 'records' | 'events'>,
  id: string,
  ms: number,
  signal: AbortSignal,
): Promise<RecordDetail> {
  const first = records.get(id)
  if (first.state.status === 'confirmed') return Promise.resolve(first)
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer)
      off()
      signal.removeEventListener('abort', aborted)
    }
    const aborted = (): void => {
      end()
      reject(interfaceError('INTERRUPTED'))
    }
    const done = (): void => {
      end()
      try {
        resolve(records.get(first.record))
      } catch (error) {
        reject(error)
      }
    }
    const timer = setTimeout(done, ms)
    const off = events.onAny((name, payload) => {
      if (name !== 'record:confirmed') return
      if ((payload as NodeEvents['record:confirmed']).record === first.record) done()
    })
    signal.addEventListener('abort', aborted)
  })
}

async function* carOf(chain: ChainApi, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const [{ CarWriter }, { CID }] = await Promise.all([
    import('@ipld/car/writer'),
    import('multiformats/cid'),
  ])
  const { writer, out } = CarWriter.create([CID.parse(chain.summary().tip)])
  let failure: unknown
  const written = (async () => {
    try {
      for await (const block of chain.export(signal)) await writer.put(block)
    } catch (error) {
      failure = error
    } finally {
      await writer.close()
    }
  })()
  for await (const part of out) {
    if (signal.aborted) return
    yield part
  }
  await written
  if (failure !== undefined) throw failure
}
