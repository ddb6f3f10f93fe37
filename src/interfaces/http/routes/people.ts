/**
 * Invites, one's own devices, the recovery kit, the passphrase. Answers with secrets are never stored by anybody on
 * the way (all JSON answers say `no-store`), and no request body is logged.
 */
import { INVITE_KINDS } from '../../../common/invite-code.ts'
import type { NodeApi } from '../api.ts'
import { objectOf, ok, type Route, route } from '../route.ts'

type PeopleNode = Pick<NodeApi, 'invites' | 'devices' | 'recovery' | 'keys'>

/** Characters of the 24 words as a person may type them. */
const MAX_WORDS_TEXT = 2048
const MAX_PASSPHRASE = 1024

export function peopleRoutes({ invites, devices, recovery, keys }: PeopleNode): Route[] {
  return [
    route('POST', '/api/v1/invites', {
      summary: 'Make an invite. The code is a secret: whoever has it can use it, once',
      body: objectOf(
        {
          kind: {
            type: 'string',
            enum: [...INVITE_KINDS, 'backup-device'],
            description:
              'member, admin, backup: a person in this role; device: a further device of yours; backup-device: one that stores and reads nothing',
          },
          ms: {
            type: 'integer',
            minimum: 1,
            description: 'how long it is good; 7 days by default',
          },
        },
        'kind',
      ),
      status: 201,
      reply: 'MadeInvite',
      gives: '{code, invite}; the code is told this once',
      handle: async ({ body, signal }) => {
        const { kind, ms } = body
        const made = await invites.create({ kind, ...(ms === undefined ? {} : { ms }) }, signal)
        return { status: 201, json: made }
      },
    }),
    route('GET', '/api/v1/invites', {
      summary: 'The invites of this network, newest first; without their codes',
      reply: { items: 'Invite' },
      gives: '{items}',
      handle: () => ok({ items: invites.list() }),
    }),
    route('DELETE', '/api/v1/invites/:id', {
      summary: 'Cancel an invite that nobody used yet',
      reply: 'Invite',
      gives: 'the invite',
      handle: async ({ params, signal }) => ok(await invites.cancel(params.id ?? '', signal)),
    }),
    route('POST', '/api/v1/devices/:id/revoke', {
      summary: 'Shut one of your devices out; :id is its id, the beginning of it, or its name',
      body: objectOf({
        reason: { type: 'string', maxLength: 1000 },
        force: { type: 'boolean', description: 'also your last device' },
        withAdmitted: {
          type: 'boolean',
          description:
            'also those of your devices that it let in, and so on; never the one that is asked',
        },
      }),
      reply: 'RevokedDevice',
      gives: 'the device, and those of yours that it let in: shut out with it, or standing',
      handle: async ({ params, body, signal }) =>
        ok(await devices.revoke(params.id ?? '', body, signal)),
    }),
    route('POST', '/api/v1/devices/:id/name', {
      summary: 'Rename one of your devices',
      body: objectOf({ name: { type: 'string', minLength: 1, maxLength: 255 } }, 'name'),
      reply: 'Stated',
      gives: '{record}',
      handle: async ({ params, body, signal }) =>
        ok(await devices.rename(params.id ?? '', body.name, signal)),
    }),
    route('GET', '/api/v1/recovery', {
      summary: 'Whether the recovery kit is on this device, and whether its words were tested',
      reply: 'Recovery',
      gives: '{here, tested}',
      handle: () => ok({ here: recovery.here, tested: recovery.tested }),
    }),
    route('POST', '/api/v1/recovery/words', {
      summary: 'The 24 words of the recovery kit. Whoever has them is you',
      reply: 'RecoveryWords',
      gives: '{words}',
      handle: async () => ok({ words: await recovery.show() }),
    }),
    route('POST', '/api/v1/recovery/test', {
      summary: 'Whether these are the words of the recovery kit; remembers that somebody has them',
      body: objectOf(
        { words: { type: 'string', minLength: 1, maxLength: MAX_WORDS_TEXT } },
        'words',
      ),
      reply: 'RecoveryTested',
      gives: '{tested: true}',
      handle: async ({ body }) => {
        await recovery.test(body.words)
        return ok({ tested: true })
      },
    }),
    route('GET', '/api/v1/passphrase', {
      summary: 'Whether the keys on this device are under a passphrase',
      reply: 'Passphrase',
      gives: '{protected}',
      handle: () => ok({ protected: keys.protected }),
    }),
    route('PUT', '/api/v1/passphrase', {
      summary: 'Put the keys on this device under a passphrase, or under another one',
      body: objectOf(
        { passphrase: { type: 'string', minLength: 1, maxLength: MAX_PASSPHRASE } },
        'passphrase',
      ),
      reply: 'Passphrase',
      gives: '{protected: true}',
      handle: async ({ body }) => {
        await keys.protect(body.passphrase)
        return ok({ protected: keys.protected })
      },
    }),
    route('DELETE', '/api/v1/passphrase', {
      summary: 'Keep the keys on this device without a passphrase',
      reply: 'Passphrase',
      gives: '{protected: false}',
      handle: async () => {
        await keys.protect(undefined)
        return ok({ protected: keys.protected })
      },
    }),
  ]
}
