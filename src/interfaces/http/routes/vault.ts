/** The vault of a forerunner: documents of this node's user, put in by a form and listed. */
import { interfaceError } from '../../errors.ts'
import type { NodeApi } from '../api.ts'
import { objectOf, ok, type Route, route } from '../route.ts'
import { readUpload } from '../upload.ts'
import { DEFAULT_PAGE, limit } from './files.ts'

/**
 * `X-User-Token` is the token of this node, as `Authorization: Bearer` takes it. It is not taken from the address, where
 * logs would keep it.
 */
export function vaultRoutes({ files, identity }: Pick<NodeApi, 'files' | 'identity'>): Route[] {
  return [
    route('POST', '/vault', {
      summary:
        'Add a private file: a multipart form with the part "file"; the token in X-User-Token',
      consumes: ['multipart/form-data'],
      status: 201,
      reply: 'AddedFile',
      gives: 'the file that was added',
      handle: async (exchange) => {
        const { options, bytes } = await readUpload(exchange)
        const { name } = options
        if (name === undefined) {
          const allowed = 'a multipart form whose part "file" has a file name'
          throw interfaceError('BAD_REQUEST', { where: 'body', found: 'no name', allowed })
        }
        const json = await files.add(bytes, { ...options, name }, { signal: exchange.signal })
        return { status: 201, json, headers: { Location: `/api/v1/files/${json.file}` } }
      },
    }),
    route('GET', '/vault', {
      summary: 'The files of this node’s user, newest first',
      query: objectOf({
        limit,
        after: { type: 'string', minLength: 1, maxLength: 512, description: '"next" of before' },
      }),
      reply: { items: 'FileSummary', next: true },
      gives: '{items, next}',
      handle: ({ query }) => {
        const { user } = identity
        if (user === null) return ok({ items: [], next: null })
        return ok(files.list({ ...query, owner: user, limit: query.limit ?? DEFAULT_PAGE }))
      },
    }),
  ]
}
