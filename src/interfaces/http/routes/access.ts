/** Who may read a private file, who read it, and which devices may give its key. */
import { MAX_DOWNLOADS } from '../../../services/access/grants.ts'
import type { NodeApi } from '../api.ts'
import { objectOf, ok, type Route, route } from '../route.ts'

const person = {
  type: 'string',
  minLength: 1,
  maxLength: 255,
  description: 'name, id, or beginning of an id',
} as const

export function accessRoutes({
  files,
  grants,
  holders,
}: Pick<NodeApi, 'files' | 'grants' | 'holders'>): Route[] {
  const fileOf = (id: string | undefined): string => files.find(id ?? '').file
  return [
    route('POST', '/api/v1/files/:id/grants', {
      summary: 'Let a user read a private file; takes the place of an earlier grant for that user',
      body: objectOf(
        {
          user: person,
          expires: {
            type: 'integer',
            minimum: 0,
            description: 'milliseconds UTC; missing: no end',
          },
          downloads: {
            type: 'integer',
            minimum: 1,
            maximum: MAX_DOWNLOADS,
            description: 'how often the key is given; missing: any number of times',
          },
        },
        'user',
      ),
      status: 201,
      reply: 'Grant',
      gives: 'the grant',
      handle: async ({ params, body, signal }) => {
        const { user, ...options } = body
        return { status: 201, json: await grants.grant(fileOf(params.id), user, options, signal) }
      },
    }),
    route('GET', '/api/v1/files/:id/grants', {
      summary: 'The grants of a file, newest last, and what is left of them',
      reply: { items: 'Grant' },
      gives: '{items}',
      handle: ({ params }) => ok({ items: grants.list(fileOf(params.id)) }),
    }),
    route('DELETE', '/api/v1/files/:id/grants/:user', {
      summary: "Take a user's grants of a file back; :user is a name or id",
      reply: { items: 'Grant' },
      gives: '{items}: the grants that were taken back',
      handle: async ({ params, signal }) =>
        ok({ items: await grants.revoke(fileOf(params.id), params.user ?? '', signal) }),
    }),
    route('GET', '/api/v1/grants', {
      summary: 'The grants of all your files, newest last',
      reply: { items: 'Grant' },
      gives: '{items}',
      handle: () => ok({ items: grants.list() }),
    }),
    route('GET', '/api/v1/files/:id/access-log', {
      summary: 'Every attempt to read a file, newest last: waiting, allowed, denied or released',
      reply: { items: 'Access' },
      gives: '{items}',
      handle: ({ params }) => {
        const items = grants.accesses(fileOf(params.id))
        return ok({ items: items.map((entry) => ({ ...entry, record: entry.access })) })
      },
    }),
    route('GET', '/api/v1/files/:id/holders', {
      summary: 'The devices that may give the key of a file',
      reply: { items: 'Holder' },
      gives: '{items}',
      handle: ({ params }) => ok({ items: holders.list(fileOf(params.id)) }),
    }),
    route('POST', '/api/v1/files/:id/holders', {
      summary: "Let somebody else's device give the key of a file to those who were granted it",
      body: objectOf({ device: person }, 'device'),
      status: 201,
      reply: 'Stated',
      gives: '{record}',
      handle: async ({ params, body, signal }) => ({
        status: 201,
        json: await holders.add(fileOf(params.id), body.device, signal),
      }),
    }),
    route('DELETE', '/api/v1/files/:id/holders/:device', {
      summary: 'Let a device give no more keys of a file',
      reply: 'Stated',
      gives: '{record}',
      handle: async ({ params, signal }) =>
        ok(await holders.remove(fileOf(params.id), params.device ?? '', signal)),
    }),
  ]
}
