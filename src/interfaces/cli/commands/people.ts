/** invite, join, recovery, passphrase: who belongs to the network, and what brings them back. */
import { Command, Option } from 'commander'
import type { InviteFor } from '../../../services/people/invites.ts'
import { interfaceError } from '../../errors.ts'
import type { FullStatus, InviteView } from '../../http/api.ts'
import { shortId, table, time } from '../format.ts'
import { confirm, secretFrom } from '../input.ts'
import { newPassphrase } from '../passphrase.ts'
import type { CommandSetup, Options } from '../register.ts'
import type { Session } from '../session.ts'
import { runOptions } from '../start-options.ts'
import { parseDuration } from '../times.ts'

const DEFAULT_EXPIRES = '24h'

export function registerPeople(setup: CommandSetup): void {
  registerInvites(setup)
  registerRecovery(setup)
  registerPassphrase(setup)
}

function registerInvites({ program, register }: CommandSetup): void {
  const invite = program
    .command('invite')
    .description(
      'let somebody in: prints a code that is good once; send it as you would send a key',
    )
    .option('--device', 'for a further device of your own')
    .addOption(
      new Option(
        '--role <role>',
        'what the one who joins is; backup: stores, and reads nothing',
      ).choices(['member', 'admin', 'backup']),
    )
    .option('--expires <duration>', 'how long it is good, at most 90d', DEFAULT_EXPIRES)
    .option('--qr', 'a picture of the code too')
  register(invite, async (session, _args, options) => {
    const json = { kind: kindOf(options), ms: parseDuration(`${options.expires}`, '--expires') }
    const client = await session.node()
    const made = await client.call<{ code: string; invite: InviteView }>(
      'POST',
      '/api/v1/invites',
      { json },
      session.signal,
    )
    const picture = options.qr === true ? await picturePart(session, made.code) : ''
    session.result(made, `${made.code}${picture}`)
    if (!session.json) {
      session.note(
        `\nFor ${KINDS[json.kind]}. Good once, until ${time(made.invite.expires)}. On the other machine:\n  cairn join CODE\nWhoever has the code can use it: send it as you would send a key.`,
      )
    }
  })
  const list = new Command('list').description('the invites of this network')
  register(list, async (session) => {
    const client = await session.node()
    const { items } = await client.get<{ items: InviteView[] }>(
      '/api/v1/invites',
      {},
      session.signal,
    )
    session.result({ items }, () =>
      items.length === 0
        ? 'no invites; make one with: cairn invite'
        : table(
            ['made', 'for', 'state', 'until', 'used by', 'id'],
            items.map((one) => [
              time(one.created),
              KINDS[one.kind],
              one.state,
              time(one.expires),
              one.usedBy === null ? '-' : shortId(one.usedBy),
              one.invite,
            ]),
          ),
    )
  })
  const cancel = new Command('cancel')
    .description('make an invite that nobody used yet worthless')
    .argument('<id>', 'id of the invite; see: cairn invite list')
  register(cancel, async (session, [id = '']) => {
    const client = await session.node()
    const path = `/api/v1/invites/${encodeURIComponent(id)}`
    const one = await client.call<InviteView>('DELETE', path, {}, session.signal)
    session.result(one, `cancelled; nobody can use it any more`)
  })
  for (const command of [list, cancel]) invite.addCommand(command.copyInheritedSettings(program))

  const join = runOptions(
    program
      .command('join')
      .description('join a network with the code of an invite, then run the node as start does')
      .argument('<code>', 'the code; "-" reads it from standard input'),
  )
  register(join, async (...args) => (await import('../actions/join.ts')).join(...args))
}

function kindOf({ device, role }: Options): InviteFor {
  if (device !== true) return (role ?? 'member') as InviteFor
  if (role === 'admin') {
    throw interfaceError('USAGE', {
      why: '--role admin is for a person; a device of yours has your own rights.',
    })
  }
  return role === 'backup' ? 'backup-device' : 'device'
}

const KINDS: Readonly<Record<InviteFor, string>> = {
  member: 'a person',
  admin: 'an admin',
  backup: 'somebody who stores for others and reads nothing',
  device: 'a further device of yours',
  'backup-device': 'a device of yours that stores and reads nothing',
}

/** In capitals a code makes the smallest picture, and is the same code. */
async function picturePart({ terminal }: Session, code: string): Promise<string> {
  const { qrText } = await import('../qr.ts')
  const { isTTY } = terminal.out as { isTTY?: boolean }
  return `\n\n${qrText(code.toUpperCase(), { colour: isTTY === true })}`
}

function registerRecovery({ program, register }: CommandSetup): void {
  const recovery = program
    .command('recovery')
    .description('the recovery kit: 24 words that bring you back when every device is lost')
  register(recovery, async (session) => {
    const client = await session.node()
    const found = await client.get<FullStatus['recovery']>('/api/v1/recovery', {}, session.signal)
    const here = found.here
      ? 'is on this device: cairn recovery show'
      : 'is not on this device: it was made where your user was made'
    const tested = found.tested
      ? 'were typed here once'
      : 'were never tested here: cairn recovery test'
    session.result(found, `the recovery kit ${here}; its words ${tested}`)
  })
  const show = new Command('show')
    .description('show the 24 words, to write them down')
    .option('--qr', 'a picture of them too')
    .option('--yes', 'also where no terminal shows them')
  register(show, async (session, _args, options) => {
    if (options.yes !== true && (session.terminal.out as { isTTY?: boolean }).isTTY !== true) {
      throw interfaceError('USAGE', {
        why: 'The words are for paper, not for a file: whoever has them is you. Run it on a terminal, or say --yes.',
      })
    }
    const client = await session.node()
    const { words } = await client.call<{ words: string[] }>(
      'POST',
      '/api/v1/recovery/words',
      {},
      session.signal,
    )
    const picture = options.qr === true ? await picturePart(session, words.join(' ')) : ''
    session.result({ words }, `${numbered(words)}${picture}`)
    session.note(
      '\nWrite them down on paper, in this order, and keep it where you keep your papers. Whoever has these words is you; nobody can reset them. Then type them once: cairn recovery test',
    )
  })
  const test = new Command('test').description(
    'type the words once, to know that you have them; from standard input or a prompt',
  )
  register(test, async (session) => {
    const client = await session.node()
    const words = await words24(session)
    const done = await client.call(
      'POST',
      '/api/v1/recovery/test',
      { json: { words } },
      session.signal,
    )
    session.result(done, 'these are the words of your kit; keep them well')
  })
  const use = runOptions(
    new Command('use')
      .description(
        'come back with the 24 words: makes this directory a new device of yours, then runs the node as start does',
      )
      .option('--peer <multiaddr...>', 'address of a device of the network')
      .option('--peers <file>', 'a file of "cairn peers export"'),
  )
  register(use, async (...args) => (await import('../actions/join.ts')).useRecovery(...args))
  for (const command of [show, test, use]) {
    recovery.addCommand(command.copyInheritedSettings(program))
  }
}

function words24(session: Session): Promise<string> {
  return secretFrom(session, {
    what: 'the 24 words of a recovery kit',
    question: 'The 24 words, in their order: ',
  })
}

const COLUMNS = 4

function numbered(words: readonly string[]): string {
  const cells = words.map((word, index) => `${String(index + 1).padStart(2)}. ${word.padEnd(10)}`)
  const rows = Math.ceil(cells.length / COLUMNS)
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: COLUMNS }, (_, column) => cells[column * rows + row] ?? '')
      .join(' ')
      .trimEnd(),
  ).join('\n')
}

function registerPassphrase({ program, register }: CommandSetup): void {
  const passphrase = program
    .command('passphrase')
    .description('whether the keys on this device are under a passphrase')
  register(passphrase, async (session) => {
    const client = await session.node()
    const found = await client.get<{ protected: boolean }>('/api/v1/passphrase', {}, session.signal)
    session.result(
      found,
      found.protected
        ? 'the keys are under a passphrase; each start asks for it'
        : 'the keys are readable for whoever can read your files; protect them with: cairn passphrase set',
    )
  })
  const set = new Command('set')
    .description(
      'put the keys under a passphrase, from a prompt, standard input or CAIRN_PASSPHRASE',
    )
    .option('--passphrase-file <file>', 'a file whose first line it is')
  register(set, async (session, _args, options) => {
    const client = await session.node()
    const json = { passphrase: await newPassphrase(session, options) }
    const done = await client.call('PUT', '/api/v1/passphrase', { json }, session.signal)
    session.result(
      done,
      'the keys are under the passphrase; each start asks for it. Nobody can reset it.',
    )
  })
  const clear = new Command('clear')
    .description('keep the keys without a passphrase')
    .option('--yes', 'do not ask')
  register(clear, async (session, _args, options) => {
    const client = await session.node()
    const words =
      'Without a passphrase, whoever can read the files of this device has its keys, and everything that they open.'
    await confirm(session, words, options.yes === true)
    const done = await client.call('DELETE', '/api/v1/passphrase', {}, session.signal)
    session.result(done, 'the keys are not under a passphrase any more')
  })
  for (const command of [set, clear]) passphrase.addCommand(command.copyInheritedSettings(program))
}
