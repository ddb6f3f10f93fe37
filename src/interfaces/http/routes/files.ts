/** Files: add, list, look, change, remove, bring, hold, drop. */
import { CairnError } from '../../../common/errors.ts'
import { interfaceError } from '../../errors.ts'
import type { NodeApi } from '../api.ts'
import { answerWithProgress, NDJSON } from '../progress.ts'
import { type Exchange, objectOf, ok, type Route, route } from '../route.ts'
import { readUpload, uploadQuery } from '../upload.ts'
import { pickVersion } from '../versions.ts'

/** Entries of a page at most, and without being asked. */
export const MAX_PAGE = 1000
export const DEFAULT_PAGE = 100

export const limit = {
  type: 'integer',
  minimum: 1,
  maximum: MAX_PAGE,
  default: DEFAULT_PAGE,
} as const
export const versionSchema = {
  type: 'string',
  minLength: 1,
  maxLength: 128,
  description: 'number or id of a version; the newest when it is missing',
} as const

/** Seconds that a fetch may take; without it a key is waited for ten minutes, bytes for as long as they come. */
const fetchSeconds = { type: 'integer', minimum: 1, maximum: 86_400 } as const

/** @throws FETCH_TIMEOUT after the seconds that the query says */
async function within<T>(
  { signal, query }: Exchange<{ readonly timeout?: number }>,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { timeout: seconds } = query
  if (seconds === undefined) return work(signal)
  const limited = AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)])
  try {
    return await work(limited)
  } catch (error) {
    // What was waited for is the better answer.
    if (error instanceof CairnError || !limited.aborted || signal.aborted) throw error
    throw interfaceError('FETCH_TIMEOUT', { seconds }, error)
  }
}

const UPLOAD_TYPES = ['application/octet-stream', 'multipart/form-data']

export function fileRoutes(node: Pick<NodeApi, 'files'>): Route[] {
  const { files } = node
  return [
    route('POST', '/api/v1/files', {
      summary: 'Add a file: its bytes as the body, or a multipart form with the part "file"',
      query: uploadQuery,
      consumes: UPLOAD_TYPES,
      status: 201,
      reply: 'AddedFile',
      progress: true,
      gives: `the file that was added; with Accept: ${NDJSON} lines of progress and then the file`,
      handle: async (exchange) => {
        const { options, bytes } = await readUpload(exchange)
        const { name } = options
        if (name === undefined) {
          throw interfaceError('BAD_REQUEST', {
            where: 'query.name',
            found: 'nothing',
            allowed: 'a file name',
          })
        }
        const { signal } = exchange
        return answerWithProgress(
          exchange,
          201,
          (onProgress) => files.add(bytes, { ...options, name }, { signal, onProgress }),
          ({ file }) => ({ Location: `/api/v1/files/${file}` }),
        )
      },
    }),
    route('GET', '/api/v1/files', {
      summary: 'List files, newest first',
      query: objectOf({
        owner: { type: 'string', minLength: 1, maxLength: 255, description: 'user id or name' },
        search: { type: 'string', minLength: 1, maxLength: 255 },
        all: { type: 'boolean', description: 'removed ones too' },
        limit,
        after: {
          type: 'string',
          minLength: 1,
          maxLength: 512,
          description: '"next" of the page before',
        },
      }),
      reply: { items: 'FileSummary', next: true },
      gives: '{items, next}',
      handle: ({ query }) => ok(files.list({ ...query, limit: query.limit ?? DEFAULT_PAGE })),
    }),
    route('GET', '/api/v1/files/:id', {
      summary: 'Everything about one file; :id is an id, the beginning of one, a CID or a name',
      reply: 'File',
      gives: 'the file with its versions, and the devices that say now that they hold it',
      handle: async ({ params, signal }) => {
        const info = files.info(files.find(params.id ?? '').file)
        return ok({ ...info, copies: await files.copies(info.file, signal) })
      },
    }),
    route('DELETE', '/api/v1/files/:id', {
      summary: 'Remove a file (a tombstone: its history stays)',
      reply: 'RemovedFile',
      gives: '{file, record}',
      handle: async ({ params, signal }) => {
        const { file } = files.find(params.id ?? '')
        const { record } = await files.remove(file, signal)
        return ok({ file, record })
      },
    }),
    route('POST', '/api/v1/files/:id/versions', {
      summary: 'Add a new version: its bytes as for a new file',
      query: uploadQuery,
      consumes: UPLOAD_TYPES,
      status: 201,
      reply: 'AddedFile',
      progress: true,
      gives: 'the version that was added',
      handle: async (exchange) => {
        const { file } = files.find(exchange.params.id ?? '')
        const { options, bytes } = await readUpload(exchange)
        const { signal } = exchange
        return answerWithProgress(
          exchange,
          201,
          (onProgress) => files.update(file, bytes, options, { signal, onProgress }),
          () => ({ Location: `/api/v1/files/${file}` }),
        )
      },
    }),
    route('GET', '/api/v1/files/:id/history', {
      summary: 'What happened to a file, oldest first',
      reply: { items: 'HistoryEntry' },
      gives: '{items}',
      handle: ({ params }) => ok({ items: files.history(files.find(params.id ?? '').file) }),
    }),
    route('POST', '/api/v1/files/:id/fetch', {
      summary: 'Bring all bytes of a file to this device, verified',
      query: objectOf({ version: versionSchema, timeout: fetchSeconds }),
      reply: 'FetchedFile',
      progress: true,
      gives: `what was fetched; with Accept: ${NDJSON} lines of progress, and of what it waits for, before it`,
      handle: async (exchange) => {
        const info = files.info(files.find(exchange.params.id ?? '').file)
        const { version } = pickVersion(info, exchange.query.version)
        return answerWithProgress(exchange, 200, (onProgress, onWait) =>
          within(exchange, (signal) =>
            files.fetch(info.file, { version }, { signal, onProgress, onWait }),
          ),
        )
      },
    }),
    route('POST', '/api/v1/files/:id/unlock', {
      summary: "Get the key of somebody else's private file, for reads of parts of it",
      query: objectOf({ version: versionSchema, timeout: fetchSeconds }),
      reply: 'File',
      progress: true,
      gives: 'the file',
      handle: async (exchange) => {
        const info = files.info(files.find(exchange.params.id ?? '').file)
        const { version } = pickVersion(info, exchange.query.version)
        return answerWithProgress(exchange, 200, async (onProgress, onWait) => {
          await within(exchange, (signal) =>
            files.unlock(info.file, { version }, { signal, onProgress, onWait }),
          )
          return files.info(info.file)
        })
      },
    }),
    route('POST', '/api/v1/files/:id/rekey', {
      summary: 'Give a private file a new version with new keys, for those who may still read it',
      reply: 'AddedFile',
      progress: true,
      gives: 'the version that was added',
      handle: async (exchange) => {
        const { file } = files.find(exchange.params.id ?? '')
        const { signal } = exchange
        return answerWithProgress(exchange, 200, (onProgress) =>
          files.rekey(file, { signal, onProgress }),
        )
      },
    }),
    route('POST', '/api/v1/files/:id/publish', {
      summary: 'Make a private file public: a new version that everybody can read. For good',
      reply: 'AddedFile',
      progress: true,
      gives: 'the version that was added',
      handle: async (exchange) => {
        const { file } = files.find(exchange.params.id ?? '')
        const { signal } = exchange
        return answerWithProgress(exchange, 200, (onProgress) =>
          files.publish(file, { signal, onProgress }),
        )
      },
    }),
    route('POST', '/api/v1/files/:id/keep', {
      summary: 'Hold the copy on this device',
      reply: 'File',
      gives: 'the file',
      handle: async ({ params, signal }) => {
        const { file } = files.find(params.id ?? '')
        await files.keep(file, signal)
        return ok(files.info(file))
      },
    }),
    route('POST', '/api/v1/files/:id/free', {
      summary: 'Drop the copy on this device',
      reply: 'File',
      gives: 'the file',
      handle: async ({ params, signal }) => {
        const { file } = files.find(params.id ?? '')
        await files.free(file, signal)
        return ok(files.info(file))
      },
    }),
  ]
}
