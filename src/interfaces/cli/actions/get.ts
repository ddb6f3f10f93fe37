/** `get` and `cat`. */

import { createHash, type Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, messageOf } from '../../../common/errors.ts'
import { interfaceError } from '../../errors.ts'
import { printable, size } from '../format.ts'
import type { Options } from '../register.ts'
import type { Session } from '../session.ts'
import { contentOf, opened, type Wanted, work } from '../wanted.ts'

/** Letters of the CID in the name of a file under way: one per version, found again by the next try. */
const PART_ID = 16

export async function get(
  session: Session,
  [text = '']: readonly string[],
  options: Options,
): Promise<void> {
  if (options.output === '-') {
    if (session.json)
      throw interfaceError('USAGE', { why: '-o - and --json both want standard output.' })
    const wanted = await opened(session, text, options)
    await work(session, wanted, 'fetch', options)
    return print(session, wanted, undefined)
  }
  const wanted = await opened(session, text, options)
  const target = await targetOf(options.output, wanted.version.name)
  if (options.force !== true && (await exists(target))) {
    throw interfaceError('TARGET_EXISTS', { path: target })
  }
  await work(session, wanted, 'fetch', options)
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
  const wanted = await opened(session, text, options)
  // Somebody else's: the key first, so that it is told what is waited for.
  const { visibility } = wanted.version
  if (visibility === 'private') await work(session, wanted, 'unlock', options)
  await print(session, wanted, range === undefined ? undefined : String(range))
}

/** First byte, and the one behind the last, of a range as `cat --range` takes it. */
function boundsOf(range: string | undefined, size: number): { from: number; to: number } {
  const [first = '', last = ''] = (range ?? '').split('-')
  if (first === '') return { from: last === '' ? 0 : Math.max(0, size - Number(last)), to: size }
  const to = last === '' ? size : Math.min(size, Number(last) + 1)
  // Beyond the end there is nothing; the node says so.
  return { from: Number(first), to: Math.max(to, Number(first) + 1) }
}

async function print(session: Session, wanted: Wanted, range: string | undefined): Promise<void> {
  const { out } = session.terminal
  const { size } = wanted.version
  // A range of an empty file is what is there of it.
  if (size === 0) return
  for await (const chunk of contentOf(wanted, boundsOf(range, size), session)) {
    if (!out.write(chunk)) await new Promise((resolve) => out.once('drain', resolve))
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
      const rest = { from: at, to: version.size }
      for await (const chunk of contentOf(wanted, rest, session)) {
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
