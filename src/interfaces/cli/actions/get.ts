/** `get` and `cat`. */

import { createHash, type Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, messageOf } from '../../../common/errors.ts'
import type { Client } from '../../client/client.ts'
import { interfaceError } from '../../errors.ts'
import type { FetchedFile, FileInfo, FileVersion } from '../../http/api-files.ts'
import { pickVersion } from '../../http/versions.ts'
import { printable, size } from '../format.ts'
import type { Options } from '../register.ts'
import type { Session } from '../session.ts'

/** Letters of the CID in the name of a file under way: one per version, found again by the next try. */
const PART_ID = 16

interface Wanted {
  readonly client: Client
  readonly file: string
  readonly version: FileVersion
}

export async function get(
  session: Session,
  [text = '']: readonly string[],
  options: Options,
): Promise<void> {
  if (options.output === '-') {
    if (session.json)
      throw interfaceError('USAGE', { why: '-o - and --json both want standard output.' })
    const wanted = await find(session, text, options)
    await bring(session, wanted)
    return print(session, wanted, undefined)
  }
  const wanted = await find(session, text, options)
  const target = await targetOf(options.output, wanted.version.name)
  if (options.force !== true && (await exists(target))) {
    throw interfaceError('TARGET_EXISTS', { path: target })
  }
  await bring(session, wanted)
  const part = `${target}.${wanted.version.root.slice(-PART_ID)}.part`
  await write(session, wanted, part)
  await rename(part, target).catch((error: unknown) => {
    throw unwritable(target, error)
  })
  const { file, version } = wanted
  const { version: id, root, name, size: bytes, sha256 } = version
  session.result(
    { path: target, file, version: id, root, name, size: bytes, sha256 },
    `${printable(target)}  ${size(bytes)}, verified`,
  )
}

export async function cat(
  session: Session,
  [text = '']: readonly string[],
  options: Options,
): Promise<void> {
  if (session.json)
    throw interfaceError('USAGE', { why: 'cat prints bytes; --json does not go with it.' })
  const { range } = options
  if (range !== undefined && !/^(\d+-\d*|-\d+)$/.test(String(range))) {
    throw interfaceError('USAGE', {
      why: `--range ${range}: allowed are a-b, a- and -n, in bytes.`,
    })
  }
  const [from, to] = String(range ?? '').split('-')
  if (from !== '' && to !== '' && Number(to) < Number(from)) {
    throw interfaceError('USAGE', { why: `--range ${range}: the end lies before the beginning.` })
  }
  await print(
    session,
    await find(session, text, options),
    range === undefined ? undefined : String(range),
  )
}

async function find(session: Session, text: string, { version }: Options): Promise<Wanted> {
  const client = await session.node()
  const path = `/api/v1/files/${encodeURIComponent(text)}`
  const info = await client.get<FileInfo>(path, {}, session.signal)
  return {
    client,
    file: info.file,
    version: pickVersion(info, version === undefined ? undefined : String(version)),
  }
}

/** Brings all bytes to the node. */
async function bring(session: Session, { client, file, version }: Wanted): Promise<void> {
  const bar = session.progress(`fetching ${version.name}`)
  try {
    await client.work<FetchedFile>(
      'POST',
      `/api/v1/files/${file}/fetch`,
      {
        query: { version: version.version },
        onProgress: ({ bytes, total }) => bar.update(bytes, total ?? version.size),
      },
      session.signal,
    )
  } finally {
    bar.end()
  }
}

async function contentOf(
  { client, file, version }: Wanted,
  range: string | undefined,
  { signal }: Session,
) {
  const headers = range === undefined ? {} : { range: `bytes=${range}` }
  const query = { version: version.version }
  return client.open('GET', `/api/v1/files/${file}/content`, { query, headers }, signal)
}

async function print(session: Session, wanted: Wanted, range: string | undefined): Promise<void> {
  const { out } = session.terminal
  // A range of an empty file is what is there of it.
  if (range !== undefined && wanted.version.size === 0) return
  const response = await contentOf(wanted, range, session)
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      if (!out.write(chunk)) await new Promise((resolve) => out.once('drain', resolve))
    }
  } catch (error) {
    throw interfaceError(session.signal.aborted ? 'INTERRUPTED' : 'NODE_CUT', {}, error)
  }
}

/** Writes the bytes to `part`, after those that stand there already, and checks the whole. */
async function write(session: Session, wanted: Wanted, part: string): Promise<void> {
  const { version } = wanted
  const file = await open(part, 'a+').catch((error: unknown) => {
    throw unwritable(part, error)
  })
  const bar = session.progress(`writing ${version.name}`)
  try {
    const hash = createHash('sha256')
    let at = await hashPart(file, hash, version.size)
    if (at < version.size) {
      const response = await contentOf(wanted, `${at}-`, session)
      for await (const chunk of response as AsyncIterable<Buffer>) {
        await file.appendFile(chunk)
        hash.update(chunk)
        at += chunk.length
        bar.update(at, version.size)
      }
    }
    if (at !== version.size || hash.digest('hex') !== version.sha256) {
      await rm(part, { force: true })
      throw interfaceError('CONTENT_DIFFERS', { name: version.name, path: part })
    }
    await file.sync()
  } catch (error) {
    if (session.signal.aborted) throw interfaceError('INTERRUPTED')
    if (['ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'].includes(codeOf(error))) {
      throw interfaceError('NODE_CUT', {}, error)
    }
    throw ['ENOSPC', 'EDQUOT'].includes(codeOf(error)) ? unwritable(part, error) : error
  } finally {
    bar.end()
    await file.close()
  }
}

/** Hashes what an earlier try left; what is longer than the file is none of it. */
async function hashPart(file: FileHandle, hash: Hash, most: number): Promise<number> {
  const { size: length } = await file.stat()
  if (length > most) {
    await file.truncate(0)
    return 0
  }
  for await (const chunk of file.createReadStream({ start: 0, autoClose: false }))
    hash.update(chunk as Buffer)
  return length
}

/** Where to write: the path, a file of that name in the folder, or the file's own name here. */
async function targetOf(output: Options[string], name: string): Promise<string> {
  const own = localName(name)
  if (typeof output !== 'string') return own
  const folder = await stat(output).then(
    (found) => found.isDirectory(),
    () => false,
  )
  return folder || output.endsWith('/') ? join(output, own) : output
}

/** A name that somebody else chose, as one that stays in its folder and means nothing to a shell or terminal. */
export function localName(name: string): string {
  const clean = name
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}/\\:*?"<>|]/gu, '_')
    .replace(/^\.+$/, '_')
  return clean === '' ? 'file' : clean
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

function unwritable(path: string, error: unknown): Error {
  return interfaceError('TARGET_UNWRITABLE', { path, why: messageOf(error) }, error)
}
