/** `import`. */
import { open, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Readable } from 'node:stream'
import { codeOf } from '../../../common/errors.ts'
import { count } from '../../../common/plural.ts'
import {
  encodeLegacy,
  LEGACY_KINDS,
  type LegacyKind,
  type LegacyPart,
  legacyName,
  MAX_LEGACY_BYTES,
} from '../../../services/legacy/container.ts'
import { legacyError } from '../../../services/legacy/errors.ts'
import { segment } from '../../client/segment.ts'
import { interfaceError } from '../../errors.ts'
import type {
  LegacyContents,
  LegacyCounts,
  LegacyImport,
  LegacyReport,
} from '../../http/api-legacy.ts'
import { fields, printable, shortId, size, table, time } from '../format.ts'
import { judge, settled } from '../records-wait.ts'
import type { Options } from '../register.ts'
import type { Session } from '../session.ts'
import { nameOf, stateWord } from '../states.ts'

export async function importLegacy(
  session: Session,
  paths: readonly string[],
  options: Options,
): Promise<void> {
  if (options.list === true) return list(session)
  if (typeof options.show === 'string') return show(session, options.show)
  const found = await findParts(paths)
  const client = await session.node()
  const container = Buffer.from(encodeLegacy(await readParts(found)))
  const imported = await client.call<LegacyImport & LegacyReport>(
    'POST',
    '/api/v1/legacy',
    {
      query: {
        visibility: options.public === true ? 'public' : 'private',
        name: typeof options.name === 'string' ? options.name : undefined,
      },
      headers: { 'content-type': 'application/vnd.ipld.dag-cbor' },
      body: Readable.from([container], { objectMode: false }),
      answerMs: Number.POSITIVE_INFINITY,
    },
    session.signal,
  )
  const states = await settled(session, client, [imported.record], options)
  session.result({ ...imported, state: states[0] ?? imported.state }, () =>
    [`imported as ${imported.record}`, countWords(imported.counts), findingWords(imported)].join(
      '\n\n',
    ),
  )
  judge(session, states, options)
}

async function list(session: Session): Promise<void> {
  const client = await session.node()
  const { items } = await client.get<{ items: LegacyImport[] }>(
    '/api/v1/legacy',
    {},
    session.signal,
  )
  session.result({ items }, () => {
    if (items.length === 0) return 'nothing was imported'
    const entries = (one: LegacyImport, kind: LegacyKind): string =>
      `${one.parts.find((part) => part.kind === kind)?.entries ?? '-'}`
    return table(
      ['time', 'by', 'blocks', 'files with votes', 'contracts', 'state', 'id'],
      items.map((one) => [
        time(one.time),
        nameOf(one.user),
        ...LEGACY_KINDS.map((kind) => entries(one, kind)),
        stateWord(one.state),
        shortId(one.record),
      ]),
    )
  })
}

async function show(session: Session, id: string): Promise<void> {
  const client = await session.node()
  const path = `/api/v1/legacy/${segment(id)}`
  const answerMs = Number.POSITIVE_INFINITY
  const found = await client.call<LegacyImport & LegacyContents>(
    'GET',
    path,
    { answerMs },
    session.signal,
  )
  session.result(found, () =>
    [
      fields([
        ['import', found.record],
        ['file', found.file],
        ['by', nameOf(found.user)],
        ['time', time(found.time)],
        ...found.parts.map((part): [string, string] => [
          legacyName(part.kind),
          `${size(part.size)}, SHA-256 ${part.sha256}`,
        ]),
      ]),
      countWords(found.counts),
      findingWords(found),
    ].join('\n\n'),
  )
}

function countWords(counts: LegacyCounts): string {
  const { blocks, uploads, downloads, votes, filesWithVotes, contracts, grants, users } = counts
  return [
    `${count(blocks, 'block')}: ${count(uploads, 'upload')}, ${count(downloads, 'download')}`,
    `${count(votes, 'vote')} on ${count(filesWithVotes, 'file')}`,
    `${count(contracts, 'contract')} with ${count(grants, 'permission')}`,
    `${count(users, 'name')}, all unverified: nothing in these files shows who they were`,
    'times without a zone are read as UTC',
  ].join('\n')
}

function findingWords({ findings, findingCount }: LegacyReport): string {
  if (findingCount === 0) return 'nothing odd was found'
  const lines = findings.map(({ part, place, says }) =>
    printable(`  ${legacyName(part)}: ${place} ${says}`),
  )
  const more = findingCount - findings.length
  return [
    `${count(findingCount, 'oddity', 'oddities')} (kept as they are):`,
    ...lines,
    ...(more > 0 ? [`  and ${more} more`] : []),
  ].join('\n')
}

/** The file for each kind. @throws LEGACY_NOTHING, LEGACY_TWICE, SOURCE_UNREADABLE */
async function findParts(paths: readonly string[]): Promise<ReadonlyMap<LegacyKind, string>> {
  const found = new Map<LegacyKind, string>()
  const take = (kind: LegacyKind, path: string): void => {
    const first = found.get(kind)
    if (first !== undefined) throw legacyError('LEGACY_TWICE', { kind, first, second: path })
    found.set(kind, path)
  }
  for (const path of paths) {
    const target = await stat(path).catch((error: unknown) => {
      throw unreadable(path, error)
    })
    const named = LEGACY_KINDS.find((kind) => legacyName(kind) === basename(path))
    if (named !== undefined && target.isFile()) take(named, path)
    if (!target.isDirectory()) continue
    // The forerunner kept them in the folder `data` of its own.
    for (const folder of [path, join(path, 'data')]) {
      for (const kind of LEGACY_KINDS) {
        const inner = join(folder, legacyName(kind))
        if (await exists(inner)) take(kind, inner)
      }
    }
  }
  if (found.size === 0) {
    throw legacyError('LEGACY_NOTHING', { found: paths.join(', ') || 'no path' })
  }
  return found
}

/** @throws LEGACY_SIZE, SOURCE_UNREADABLE */
async function readParts(found: ReadonlyMap<LegacyKind, string>): Promise<LegacyPart[]> {
  const parts: LegacyPart[] = []
  let left = MAX_LEGACY_BYTES
  for (const [kind, path] of found) {
    const bytes = await readUpTo(path, left)
    left -= bytes.length
    parts.push({ kind, bytes })
  }
  return parts
}

async function readUpTo(path: string, limit: number): Promise<Uint8Array> {
  try {
    const file = await open(path, 'r')
    try {
      const { size: bytes } = await file.stat()
      if (bytes > limit) {
        throw legacyError('LEGACY_SIZE', { name: path, bytes, limit: MAX_LEGACY_BYTES })
      }
      const buffer = new Uint8Array(bytes)
      let filled = 0
      while (filled < bytes) {
        const { bytesRead } = await file.read(buffer, filled, bytes - filled)
        if (bytesRead === 0) throw interfaceError('SOURCE_CHANGED', { path })
        filled += bytesRead
      }
      return buffer
    } finally {
      await file.close()
    }
  } catch (error) {
    throw /^E[A-Z]+$/.test(codeOf(error)) ? unreadable(path, error) : error
  }
}

function unreadable(path: string, error: unknown): Error {
  const code = codeOf(error)
  const why = code === 'ENOENT' ? 'there is nothing of that name' : code
  return interfaceError('SOURCE_UNREADABLE', { path, why }, error)
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
