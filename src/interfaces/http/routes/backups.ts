/** Backups: what there is, by hand, read, restored, cleaned up. Answers come when the destinations have answered. */
import { selectionOf } from '../../backup-selection.ts'
import type { NodeApi } from '../api.ts'
import { type Exchange, objectOf, ok, type Route, route } from '../route.ts'

const NAME = {
  type: 'string',
  minLength: 1,
  maxLength: 100,
  description: 'what it is called',
} as const
const DESTINATION = {
  type: 'string',
  minLength: 1,
  maxLength: 300,
  description: 'only this destination, by its name or kind; default: all',
} as const
const ADMIN_ID = {
  type: 'integer',
  minimum: 0,
  maximum: 2 ** 31 - 1,
  description: 'who asked for it; kept in PostgreSQL, as created_by',
} as const
const MAX_PASSPHRASE = 1024

export function backupRoutes({ backups }: Pick<NodeApi, 'backups'>): Route[] {
  const create = async (
    body: { name?: string; destination?: string; full?: boolean; admin_id?: number },
    signal: AbortSignal,
  ) => {
    const { name = 'Manual backup', destination, full, admin_id: by } = body
    const request = { name, destination, by, ...(full === undefined ? {} : { full }) }
    return backups.create(request, signal)
  }
  const chosen = ({ body }: Exchange<unknown, { destination?: string }>) => body.destination
  return [
    route('GET', '/api/v1/backups', {
      summary: 'All backups of this network, the newest first, and what could not be read',
      reply: 'BackupList',
      gives: '{items, problems, contents}',
      handle: async ({ signal }) => ok(await backups.list(signal)),
    }),
    route('POST', '/api/v1/backups', {
      summary: 'Back up now, also when nothing is new',
      body: objectOf({
        name: NAME,
        destination: DESTINATION,
        full: { type: 'boolean', description: 'write everything anew' },
        admin_id: ADMIN_ID,
      }),
      status: 201,
      reply: 'BackupOutcomes',
      gives: '{outcomes}, one for each destination',
      handle: async ({ body, signal }) => ({ status: 201, json: await create(body, signal) }),
    }),
    route('POST', '/admin/manual-backup', {
      summary: 'The same, as the forerunners knew it',
      body: objectOf({
        name: NAME,
        admin_id: ADMIN_ID,
      }),
      reply: 'ManualBackup',
      gives: '{message, outcomes}',
      handle: async ({ body, signal }) => {
        const { outcomes } = await create(body, signal)
        const failed = outcomes.filter(({ problem }) => problem !== undefined).length
        const message =
          failed === 0
            ? 'Manual backup completed!'
            : `Manual backup completed at ${outcomes.length - failed} of ${outcomes.length} destinations.`
        return ok({ message, outcomes })
      },
    }),
    route('POST', '/api/v1/backups/prune', {
      summary: 'Remove the backups that no rule of retention wants',
      body: objectOf({ destination: DESTINATION }),
      reply: 'BackupResults',
      gives: '{items}, one for each destination',
      handle: async (exchange) =>
        ok({ items: await backups.prune(chosen(exchange), exchange.signal) }),
    }),
    route('POST', '/api/v1/backups/drill', {
      summary: 'Restore for practice, replay, and compare with what is here',
      body: objectOf({ destination: DESTINATION }),
      reply: 'BackupResults',
      gives: '{items}, one for each destination',
      handle: async (exchange) =>
        ok({ items: await backups.drill(chosen(exchange), exchange.signal) }),
    }),
    route('POST', '/api/v1/backups/key', {
      summary: 'The key of the backups, as the tool age reads it. Whoever has it can read them',
      reply: 'BackupKey',
      gives: '{identity, recipient}',
      handle: async () => ok(await backups.key()),
    }),
    route('PUT', '/api/v1/backups/passphrase', {
      summary: 'Let a passphrase open the backups; another one replaces it',
      body: objectOf(
        { passphrase: { type: 'string', minLength: 1, maxLength: MAX_PASSPHRASE } },
        'passphrase',
      ),
      reply: 'BackupProblems',
      gives: '{problems}, of destinations where it was not set',
      handle: async ({ body, signal }) =>
        ok({ problems: await backups.setPassphrase(body.passphrase, signal) }),
    }),
    route('POST', '/api/v1/backups/:id/verify', {
      summary:
        'Read a backup from its destination, compare and open it; :id is a backup, a destination, or "newest"',
      reply: 'BackupResults',
      gives: '{items}, one for each destination',
      handle: async ({ params, signal }) => {
        const id = params.id === 'newest' ? undefined : params.id
        return ok({ items: await backups.verify(id, signal) })
      },
    }),
    route('POST', '/api/v1/backups/:id/restore', {
      summary:
        'Take in what a backup holds; never goes back. :id is a backup, its number, CID or name, a time, or "newest"',
      reply: 'RestoredBackup',
      gives: '{tip, height, sources, records, problems, contents}',
      handle: async ({ params, signal }) =>
        ok({
          contents: null,
          ...(await backups.restore(selectionOf(params.id ?? 'newest'), signal)),
        }),
    }),
  ]
}
