/** ls, info, history, rm, keep, free. */
import type { Command } from 'commander'
import { count } from '../../../common/plural.ts'
import { segment } from '../../client/segment.ts'
import type { Named, Page } from '../../http/api-common.ts'
import type { FileInfo, FileSummary, HistoryEntry } from '../../http/api-files.ts'
import { duration, fields, printable, shortId, size, table, time } from '../format.ts'
import { judge, settled, waitOptions, wholeNumber } from '../records-wait.ts'
import type { CommandSetup } from '../register.ts'
import type { Session } from '../session.ts'
import { fileWords, nameOf, pathOf, sizeOf, stateWord, stateWords, tallyWords } from '../states.ts'

/** Files asked for at a time. */
const PAGE = 1000
const FILE = 'name, id, beginning of an id, or CID'

export function registerFiles({ program, register }: CommandSetup): void {
  const file = (command: Command): Command => command.argument('<file>', FILE)

  register(
    program
      .command('ls')
      .description('list files')
      .option('--owner <user>', 'only of this user (name or id)')
      .option('--search <text>', 'only with this in name or folder')
      .option('--all', 'removed ones too')
      .option('--limit <number>', 'at most so many', (text) => wholeNumber(text, 1, 10_000_000)),
    async (session, _args, options) => {
      const most = options.limit === undefined ? Number.POSITIVE_INFINITY : Number(options.limit)
      const { owner, search, all } = options as Record<string, string | undefined>
      const items = await allFiles(session, { owner, search, all }, most)
      session.result({ items }, () => listing(items))
    },
  )
  register(
    file(program.command('info').description('everything about one file')),
    async (session, [text = '']) => {
      const info = await read<FileInfo>(session, text)
      session.result(info, () => infoText(info))
    },
  )
  register(
    file(program.command('history').description('what happened to a file')),
    async (session, [text = '']) => {
      const { items } = await read<{ items: HistoryEntry[] }>(session, text, '/history')
      session.result({ items }, () =>
        table(
          ['time', 'what', 'who', 'device', 'state'],
          items.map((entry) => [
            time(entry.time),
            historyWords(entry),
            nameOf(entry.user),
            nameOf(entry.device),
            stateWord(entry.state),
          ]),
        ),
      )
    },
  )
  const rm = file(program.command('rm').description('remove a file for all; its history stays'))
  for (const option of waitOptions()) rm.addOption(option)
  register(rm, async (session, [text = ''], options) => {
    const client = await session.node()
    const path = `/api/v1/files/${segment(text)}`
    const done = await client.call<{ file: string; record: string }>(
      'DELETE',
      path,
      {},
      session.signal,
    )
    const states = await settled(session, client, [done.record], options)
    const [state] = states
    session.result(
      { ...done, ...(state === undefined ? {} : { state }) },
      `removed ${printable(text)}; earlier copies on other devices go with time, not at once`,
    )
    judge(session, states, options)
  })
  for (const [verb, what, says] of [
    ['keep', 'hold the copy on this device', 'is held on this device'],
    ['free', 'drop the copy on this device', 'is not held on this device any more'],
  ] as const) {
    register(file(program.command(verb).description(what)), async (session, [text = '']) => {
      const client = await session.node()
      const path = `/api/v1/files/${segment(text)}/${verb}`
      const options = { answerMs: Number.POSITIVE_INFINITY }
      const info = await client.call<FileInfo>('POST', path, options, session.signal)
      session.result(info, `${printable(pathOf(info))} ${says}`)
    })
  }
}

async function read<T>(session: Session, text: string, part = ''): Promise<T> {
  const client = await session.node()
  return client.get<T>(`/api/v1/files/${segment(text)}${part}`, {}, session.signal)
}

async function allFiles(
  session: Session,
  query: Readonly<Record<string, string | boolean | undefined>>,
  most: number,
): Promise<FileSummary[]> {
  const client = await session.node()
  const files: FileSummary[] = []
  let after: string | undefined
  do {
    const limit = Math.min(PAGE, most - files.length)
    const page = await client.get<Page<FileSummary>>(
      '/api/v1/files',
      { ...query, limit, after },
      session.signal,
    )
    files.push(...page.items)
    after = page.next ?? undefined
  } while (after !== undefined && files.length < most)
  return files
}

function listing(files: readonly FileSummary[]): string {
  if (files.length === 0) return 'no files; add one with: cairn add PATH'
  return table(
    ['name', 'size', 'owner', 'for', 'changed', 'votes', 'where', 'id'],
    files.map((file) => [
      pathOf(file),
      sizeOf(file),
      nameOf(file.owner),
      file.visibility === 'public' ? 'all' : 'private',
      time(file.updated),
      tallyWords(file.tally),
      fileWords(file),
      shortId(file.file),
    ]),
  )
}

/** What else happens to a file. */
const WORDS: Readonly<Record<string, string>> = {
  grant: 'let somebody read it',
  revoke: 'took a grant back',
  release: 'gave its key to a reader',
  'holder.add': 'named a key holder',
  'holder.remove': 'removed a key holder',
  'key.copy': 'passed keys on',
}

function historyWords({ type, number, verdict, comment }: HistoryEntry): string {
  const version = number === null ? '' : ` version ${number}`
  switch (type) {
    case 'file.add':
      return 'added'
    case 'file.update':
      return `updated:${version}`
    case 'file.remove':
      return 'removed'
    case 'vote':
      return `voted ${verdict ?? '?'} on${version}${comment ? `: ${comment}` : ''}`
    case 'access':
      return `opened${version}`
    default:
      return WORDS[type] ?? type
  }
}

/** Names; with the end of the id where two have the same. */
function namesOf(devices: readonly Named[]): string[] {
  const names = devices.map(nameOf)
  return devices.map((device, at) => {
    const name = nameOf(device)
    const twice = names.some((other, index) => index !== at && other === name)
    return twice ? `${name} ${shortId(device.id)}` : name
  })
}

function infoText(info: FileInfo): string {
  const { copies } = info
  const head = fields([
    ['name', pathOf(info)],
    ['file', info.file],
    ['CID', info.root],
    ['SHA-256', info.sha256 ?? undefined],
    ['size', info.size === null ? sizeOf(info) : `${size(info.size)} (${info.size} bytes)`],
    ['type', info.mediaType ?? undefined],
    ['owner', nameOf(info.owner)],
    ['visible', visibleWords(info)],
    ['added', time(info.added)],
    [
      'changed',
      info.versions > 1
        ? `${time(info.updated)} (${duration(info.updated - info.added)} later)`
        : undefined,
    ],
    ['state', fileWords(info)],
    ['votes', tallyWords(info.tally)],
    [
      'copies',
      `${count(copies.length, 'device')}${copies.length > 0 ? `: ${namesOf(copies).join(', ')}` : ''}`,
    ],
    ['opened', count(info.accesses, 'time')],
  ])
  const versions = table(
    ['version', 'when', 'by', 'size', 'state', 'votes', 'id'],
    info.versionList.map((version) => [
      `${version.number}${version.current ? ' (current)' : version.removed ? ' (removed)' : ''}`,
      time(version.time),
      `${nameOf(version.user)} on ${nameOf(version.device)}`,
      sizeOf(version),
      stateWords(version.state),
      tallyWords(version.tally),
      shortId(version.version),
    ]),
  )
  const conflict = info.conflict
    ? '\n\nSeveral current versions: they were made at the same time. An update joins them.'
    : ''
  return `${head}\n\n${versions}${conflict}`
}

function visibleWords({ visibility, name, owner }: FileInfo): string {
  if (visibility === 'public') return 'public: to every member, and to anyone who knows the CID'
  if (name === null) return `private: to ${nameOf(owner)}, and to those who were granted it`
  return 'private: to its owner, and to those who were granted it'
}
