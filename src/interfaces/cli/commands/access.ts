/** grant, revoke, grants, access-log, holders, publish, rekey. */
import type { Command } from 'commander'
import { count } from '../../../common/plural.ts'
import { segment } from '../../client/segment.ts'
import { interfaceError } from '../../errors.ts'
import type { AccessView, GrantView, HolderView } from '../../http/api.ts'
import type { AddedFile, FileInfo } from '../../http/api-files.ts'
import { printable, shortId, table, time } from '../format.ts'
import { confirm } from '../input.ts'
import { judge, settled, waitOptions } from '../records-wait.ts'
import type { CommandSetup, Options } from '../register.ts'
import type { Session } from '../session.ts'
import { nameOf, pathOf } from '../states.ts'
import { parseExpiry } from '../times.ts'

const FILE = 'name, id, beginning of an id, or CID'
const USER = 'name or id; see: cairn users'
/** As services/access/grants.ts has it, which is not loaded for this. */
const MAX_DOWNLOADS = 1_000_000

export function registerAccess(setup: CommandSetup): void {
  registerGrants(setup)
  registerLog(setup)
  registerHolders(setup)
  registerVersions(setup)
}

function registerGrants({ program, register }: CommandSetup): void {
  const grant = program
    .command('grant')
    .description('let somebody read a private file of yours')
    .argument('<file>', FILE)
    .argument('<user>', USER)
    .option(
      '--expires <when>',
      'a duration (24h, 7d, 2w), a day (friday) or a date (2026-12-24, "2026-12-24 18:00")',
    )
    .option('--max-downloads <number>', 'how often the key is given')
  for (const option of waitOptions()) grant.addOption(option)
  register(grant, async (session, [file = '', user = ''], options) => {
    const json = { user, ...limitsOf(options) }
    const client = await session.node()
    const path = `/api/v1/files/${segment(file)}/grants`
    const made = await client.call<GrantView>('POST', path, { json }, session.signal)
    const states = await settled(session, client, [made.grant], options)
    session.result(
      { ...made, state: states[0] ?? made.state },
      `${printable(nameOf(made.user))} may read ${printable(file)}${limitWords(made)}`,
    )
    judge(session, states, options)
  })
  register(
    program
      .command('revoke')
      .description('take a grant back: no key is given any more; what was read stays read')
      .argument('<file>', FILE)
      .argument('<user>', USER),
    async (session, [file = '', user = '']) => {
      const client = await session.node()
      const path = `/api/v1/files/${segment(file)}/grants/${segment(user)}`
      const done = await client.call<{ items: GrantView[] }>('DELETE', path, {}, session.signal)
      const name = done.items[0]?.user
      session.result(
        done,
        `${printable(name === undefined ? user : nameOf(name))} is given no key of ${printable(file)} any more. What was read already cannot be taken back; "cairn rekey" gives the file a new key, too.`,
      )
    },
  )
  register(
    program
      .command('grants')
      .description('who may read a file of yours, or all of them')
      .argument('[file]', FILE),
    async (session, [file]) => {
      const client = await session.node()
      const path = file === undefined ? '/api/v1/grants' : `/api/v1/files/${segment(file)}/grants`
      const { items } = await client.get<{ items: GrantView[] }>(path, {}, session.signal)
      session.result({ items }, () =>
        items.length === 0
          ? 'nobody was granted anything; do it with: cairn grant FILE USER'
          : table(
              ['who', 'file', 'state', 'until', 'used', 'left', 'granted', 'id'],
              items.map((one) => [
                nameOf(one.user),
                one.name ?? '-',
                one.status,
                one.expires === null ? '-' : time(one.expires),
                `${one.used}`,
                one.left === null ? 'any' : `${one.left}`,
                time(one.time),
                shortId(one.file),
              ]),
            ),
      )
    },
  )
}

function limitsOf({ expires, maxDownloads }: Options): { expires?: number; downloads?: number } {
  const limits: { expires?: number; downloads?: number } = {}
  if (expires !== undefined) limits.expires = parseExpiry(`${expires}`, '--expires', Date.now())
  if (maxDownloads !== undefined) {
    const downloads = Number(maxDownloads)
    if (!/^\d+$/.test(`${maxDownloads}`) || downloads < 1 || downloads > MAX_DOWNLOADS) {
      throw interfaceError('USAGE', {
        why: `--max-downloads "${`${maxDownloads}`.slice(0, 40)}": a whole number from 1 to ${MAX_DOWNLOADS} is allowed; leave it out for any number.`,
      })
    }
    limits.downloads = downloads
  }
  return limits
}

function limitWords({ expires, downloads }: GrantView): string {
  const until = expires === null ? '' : `, until ${time(expires)}`
  return `${until}${downloads === null ? '' : `, ${count(downloads, 'time')}`}`
}

function registerLog({ program, register }: CommandSetup): void {
  register(
    program
      .command('access-log')
      .description('who tried to read a file, when, and what became of it')
      .argument('<file>', FILE),
    async (session, [file = '']) => {
      const client = await session.node()
      const path = `/api/v1/files/${segment(file)}/access-log`
      const { items } = await client.get<{ items: AccessView[] }>(path, {}, session.signal)
      session.result({ items }, () =>
        items.length === 0
          ? 'nobody else tried to read it yet'
          : table(
              ['time', 'who', 'device', 'outcome', 'why'],
              items.map((entry) => [
                time(entry.time),
                nameOf(entry.user),
                nameOf(entry.device),
                entry.outcome,
                entry.why ??
                  (entry.releasedBy === null ? '-' : `key from ${nameOf(entry.releasedBy)}`),
              ]),
            ),
      )
    },
  )
}

const HOLDER_VERBS = ['add', 'remove']

function registerHolders({ program, register }: CommandSetup): void {
  register(
    program
      .command('holders')
      .description(
        'the devices that may give the key of a private file; name one that is always on, so that readers need not wait for yours',
      )
      .argument('<file>', FILE)
      .argument('[verb]', 'add or remove')
      .argument('[device]', 'name or id; see: cairn devices'),
    async (session, [file = '', verb, device]) => {
      if (verb === undefined) return listHolders(session, file)
      if (!HOLDER_VERBS.includes(verb) || device === undefined) {
        throw interfaceError('USAGE', {
          why: `cairn holders FILE lists them; "add DEVICE" or "remove DEVICE" behind it changes them.`,
        })
      }
      const client = await session.node()
      const path = `/api/v1/files/${segment(file)}/holders`
      const done =
        verb === 'add'
          ? await client.call('POST', path, { json: { device } }, session.signal)
          : await client.call('DELETE', `${path}/${segment(device)}`, {}, session.signal)
      session.result(
        done,
        verb === 'add'
          ? `${printable(device)} can read ${printable(file)} and gives its key to those whom you grant it`
          : `${printable(device)} gives no key of ${printable(file)} any more; keys that it was given it keeps`,
      )
    },
  )
}

async function listHolders(session: Session, file: string): Promise<void> {
  const client = await session.node()
  const path = `/api/v1/files/${segment(file)}/holders`
  const { items } = await client.get<{ items: HolderView[] }>(path, {}, session.signal)
  session.result({ items }, () =>
    table(
      ['device', 'of', 'why'],
      items.map(({ device, user, named }) => [
        nameOf(device),
        user === null ? '-' : nameOf(user),
        named ? 'named for this file' : 'a device of the owner',
      ]),
    ),
  )
}

/** `publish` and `rekey`: the same content again, under no key or under a new one. */
function registerVersions({ program, register }: CommandSetup): void {
  const publish = again(
    program
      .command('publish')
      .description('make a private file public, for good')
      .option('--yes', 'do not ask'),
  )
  register(publish, async (session, [file = ''], options) => {
    const client = await session.node()
    const path = `/api/v1/files/${segment(file)}`
    const info = await client.get<FileInfo>(path, {}, session.signal)
    const name = printable(pathOf(info))
    const words = `Every member of this network, and everybody who knows its CID, can then read ${name}, and see its name. Nothing takes that back: whoever has a copy keeps it. Earlier versions stay private.`
    await confirm(session, words, options.yes === true)
    await restate(session, info, 'publish', `${name} is public`, options)
  })
  const rekey = again(
    program
      .command('rekey')
      .description(
        'give a private file a new version with new keys, for those who may still read it',
      ),
  )
  register(rekey, async (session, [file = ''], options) => {
    const client = await session.node()
    const path = `/api/v1/files/${segment(file)}`
    const info = await client.get<FileInfo>(path, {}, session.signal)
    const name = printable(pathOf(info))
    const words = `${name} has new keys; whoever still may read it is passed them on`
    await restate(session, info, 'rekey', words, options)
  })
}

function again(command: Command): Command {
  command.argument('<file>', FILE)
  for (const option of waitOptions()) command.addOption(option)
  return command
}

async function restate(
  session: Session,
  info: FileInfo,
  verb: 'publish' | 'rekey',
  words: string,
  options: Options,
): Promise<void> {
  const client = await session.node()
  const bar = session.progress(pathOf(info))
  let done: AddedFile
  try {
    done = await client.work<AddedFile>(
      'POST',
      `/api/v1/files/${info.file}/${verb}`,
      { onProgress: ({ bytes }) => bar.update(bytes, info.size) },
      session.signal,
    )
  } finally {
    bar.end()
  }
  const states = await settled(session, client, [done.record], options)
  const [state] = states
  session.result(
    { ...done, ...(state === undefined ? {} : { state }) },
    `${words}  CID ${done.root}`,
  )
  judge(session, states, options)
}
