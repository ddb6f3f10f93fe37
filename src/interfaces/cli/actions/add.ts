/** `add` and `update`. */
import { checkName } from '../../../chain/names.ts'
import type { CairnError } from '../../../common/errors.ts'
import { codeOf, messageOf } from '../../../common/errors.ts'
import { count } from '../../../common/plural.ts'
import type { Client, Query } from '../../client/client.ts'
import { segment } from '../../client/segment.ts'
import { meaningOf } from '../../error-codes.ts'
import { interfaceError } from '../../errors.ts'
import type { RecordState } from '../../http/api-common.ts'
import type { AddedFile, FileSummary, Visibility } from '../../http/api-files.ts'
import { Done } from '../done.ts'
import { printable, size } from '../format.ts'
import { inOrder } from '../in-order.ts'
import { judge, settled } from '../records-wait.ts'
import type { Options } from '../register.ts'
import type { Session } from '../session.ts'
import { findSources, readSource, type Source, STDIN } from '../sources.ts'
import { pathOf } from '../states.ts'

/** Files on their way at a time: enough that the disk's flushes overlap, and no more than it has hands. */
export const ADDS_AT_ONCE = 4

interface Added extends AddedFile {
  readonly path: string
  readonly folder: readonly string[]
  readonly visibility: Visibility
  readonly state?: RecordState
}

export async function add(
  session: Session,
  paths: readonly string[],
  options: Options,
): Promise<void> {
  if (paths.includes(STDIN) && options.name === undefined) {
    throw interfaceError('USAGE', { why: 'Standard input has no name: add --name.' })
  }
  if (typeof options.name === 'string') {
    const fault = checkName(options.name)
    if (fault !== undefined)
      throw interfaceError('USAGE', { why: `The name ${fault}. Choose another with --name.` })
  }
  const sources: Source[] = []
  const skipped = (path: string): void =>
    session.note(`left out, neither file nor folder: ${printable(path)}`)
  for await (const source of findSources(paths, {
    recursive: options.recursive === true,
    skipped,
  })) {
    sources.push(source)
  }
  if (options.name !== undefined && sources.length > 1) {
    throw interfaceError('USAGE', { why: `--name is for one file; these are ${sources.length}.` })
  }
  const client = await session.node()
  const added: Added[] = []
  const failed: { path: string; error: { code: string; message: string } }[] = []
  const send = (source: Source): Promise<Added> => addOne(session, client, source, options)
  for await (const ended of inOrder(sources, ADDS_AT_ONCE, send)) {
    if ('value' in ended) {
      added.push(ended.value)
      if (!session.json) session.result({}, line(ended.value))
      continue
    }
    const { item, error } = ended
    // One that cannot be read does not keep the others out; without a node none gets in.
    if (sources.length === 1 || session.signal.aborted || meaningOf(codeOf(error)).exit === 3)
      throw error
    failed.push({ path: item.path, error: { code: codeOf(error), message: messageOf(error) } })
    if (!session.json) session.note(`cairn: ${printable(`${item.path}: ${messageOf(error)}`)}`)
  }
  const states = await settled(
    session,
    client,
    added.map(({ record }) => record),
    options,
  )
  if (session.json) {
    const shown = added.map((one, index) => withState(one, states[index]))
    session.result({ added: shown, failed }, '')
  }
  const bytes = added.reduce((sum, one) => sum + one.size, 0)
  if (sources.length > 1 && !session.json) {
    session.note(
      `${count(added.length, 'file')} added, ${size(bytes)}${failed.length > 0 ? `; ${failed.length} failed` : ''}`,
    )
  }
  const [first] = failed
  if (first !== undefined) throw new Done(meaningOf(first.error.code).exit)
  judge(session, states, options)
}

async function addOne(
  session: Session,
  client: Client,
  source: Source,
  options: Options,
): Promise<Added> {
  const name = typeof options.name === 'string' ? options.name : source.name
  const visibility = options.public === true ? 'public' : 'private'
  const query = {
    name,
    folder: source.folder.length === 0 ? undefined : source.folder.join('/'),
    mediaType: text(options.mediaType),
    visibility,
  }
  const result = await upload(session, client, '/api/v1/files', query, source)
  return { path: source.path, folder: source.folder, visibility, ...result }
}

function withState(one: Added, state: RecordState | undefined): Added {
  return state === undefined ? one : { ...one, state }
}

export async function update(
  session: Session,
  [file = '', path = '']: readonly string[],
  options: Options,
): Promise<void> {
  let source: Source | undefined
  for await (const found of findSources([path], { recursive: false, skipped: () => {} })) {
    source = found
  }
  if (source === undefined)
    throw interfaceError('SOURCE_UNREADABLE', { path, why: 'nothing is there' })
  const client = await session.node()
  const found = await client.get<FileSummary>(`/api/v1/files/${segment(file)}`, {}, session.signal)
  const { folder, visibility } = found
  const query = { mediaType: text(options.mediaType) }
  const target = `/api/v1/files/${found.file}/versions`
  const result = await upload(session, client, target, query, { ...source, name: pathOf(found) })
  const one: Added = { path, folder, visibility, ...result }
  const states = await settled(session, client, [one.record], options)
  session.result(withState(one, states[0]), line(one))
  judge(session, states, options)
}

async function upload(
  session: Session,
  client: Client,
  path: string,
  query: Query,
  source: Source,
): Promise<AddedFile> {
  const bar = session.progress(source.name)
  const body = readSource(source.path)
  // The reason why the bytes ended matters more than what the connection says of it.
  let broken: Error | undefined
  body.once('error', (error) => {
    broken = error
  })
  try {
    return await client.work<AddedFile>(
      'POST',
      path,
      { query, body, onProgress: ({ bytes }) => bar.update(bytes, source.size) },
      session.signal,
    )
  } catch (error) {
    throw (broken as CairnError | undefined) ?? error
  } finally {
    bar.end()
    body.destroy()
  }
}

function line({ folder, name, file, root, visibility }: Added): string {
  return `${printable(pathOf({ folder, name }))}  ${visibility}  file ${file}  CID ${root}`
}

function text(value: Options[string]): string | undefined {
  return typeof value === 'string' ? value : undefined
}
