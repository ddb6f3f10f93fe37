/** What a forerunner of this program had stored: in, told, and out again. */
import { MAX_CONTAINER_BYTES } from '../../../services/legacy/container.ts'
import type { NodeApi } from '../api.ts'
import { type Exchange, objectOf, ok, type Route, route } from '../route.ts'
import { wholeBody } from '../streams.ts'

const CBOR = 'application/vnd.ipld.dag-cbor'
const DEFAULT_NAME = 'legacy-import.cbor'

export function legacyRoutes({ legacy }: Pick<NodeApi, 'legacy'>): Route[] {
  return [
    route('POST', '/api/v1/legacy', {
      summary:
        'Import the files of a forerunner: a DAG-CBOR map {format: "cairn-legacy/1", parts: [{kind, bytes}]}',
      query: objectOf({
        name: { type: 'string', minLength: 1, maxLength: 255 },
        visibility: { type: 'string', enum: ['private', 'public'], default: 'private' },
      }),
      consumes: [CBOR, 'application/octet-stream'],
      status: 201,
      reply: 'LegacyImported',
      gives: 'the import, what is in it, and what is odd about it',
      handle: async ({ request, query, signal }) => {
        const container = new Uint8Array(await wholeBody(request, MAX_CONTAINER_BYTES))
        const { name = DEFAULT_NAME, visibility = 'private' } = query
        const json = await legacy.import(container, { name, visibility }, { signal })
        return { status: 201, json }
      },
    }),
    route('GET', '/api/v1/legacy', {
      summary: 'What was imported',
      reply: { items: 'LegacyImport' },
      gives: '{items}',
      handle: () => ok({ items: legacy.list() }),
    }),
    route('GET', '/api/v1/legacy/history', {
      summary: 'The history of this network in the format of the forerunner',
      query: objectOf({
        private: {
          type: 'boolean',
          description: 'also the private files that this device can open',
        },
      }),
      type: CBOR,
      gives: 'a container, as an import takes it',
      handle: async (exchange) => {
        const includePrivate = exchange.query.private ?? false
        return give(exchange, await legacy.history({ includePrivate }, exchange.signal))
      },
    }),
    route('GET', '/api/v1/legacy/:id', {
      summary: 'Everything in one import; names in it are unverified',
      reply: 'LegacyContents',
      gives: 'blocks, votes, contracts, and what is odd about them',
      handle: async ({ params, signal }) => ok(await legacy.show(params.id ?? '', signal)),
    }),
    route('GET', '/api/v1/legacy/:id/content', {
      summary: 'The exact bytes of an import',
      type: CBOR,
      gives: 'its container',
      handle: async (exchange) =>
        give(exchange, await legacy.content(exchange.params.id ?? '', exchange.signal)),
    }),
  ]
}

function give({ request, response }: Exchange, bytes: Uint8Array): undefined {
  response.setHeader('Content-Type', CBOR)
  response.setHeader('Content-Length', bytes.length)
  response.setHeader('Cache-Control', 'no-store')
  response.end(request.method === 'HEAD' ? undefined : bytes)
  return undefined
}
