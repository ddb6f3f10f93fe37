/** A version that somebody named, and what the node has to bring before it can be read. */
import { codeOf } from '../../common/errors.ts'
import type { Client } from '../client/client.ts'
import { segment } from '../client/segment.ts'
import { interfaceError } from '../errors.ts'
import type { FileInfo, FileVersion, ReadingWait } from '../http/api-files.ts'
import { isOpen, type OpenVersion, openVersion } from '../http/sealed.ts'
import { pickVersion } from '../http/versions.ts'
import { printable } from './format.ts'
import type { Options } from './register.ts'
import type { Session } from './session.ts'
import { pathOf } from './states.ts'

interface Found {
  readonly client: Client
  readonly file: string
  readonly info: FileInfo
  readonly version: FileVersion
}

export interface Wanted extends Found {
  readonly version: OpenVersion
}

/** The version with its name and size. Of what is sealed here a key is asked for: that stands in the access log. */
export async function opened(session: Session, text: string, options: Options): Promise<Wanted> {
  const found = await find(session, text, options)
  if (!isOpen(found.version)) await work(session, found, 'unlock', options)
  const again = isOpen(found.version) ? found : await find(session, found.file, options)
  return { ...again, version: openVersion(again.info, again.version) }
}

async function find(session: Session, text: string, { version }: Options): Promise<Found> {
  const client = await session.node()
  const path = `/api/v1/files/${segment(text)}`
  const info = await client.get<FileInfo>(path, {}, session.signal)
  return {
    client,
    file: info.file,
    info,
    version: pickVersion(info, version === undefined ? undefined : String(version)),
  }
}

/** Lets the node bring all bytes, or the key alone; tells what it waits for. @throws what the node answers */
export async function work(
  session: Session,
  { client, file, info, version }: Found,
  verb: 'fetch' | 'unlock',
  { timeout }: Options,
): Promise<void> {
  const bar = session.progress(`fetching ${pathOf({ ...info, name: version.name })}`)
  try {
    await client.work(
      'POST',
      `/api/v1/files/${file}/${verb}`,
      {
        query: {
          version: version.version,
          ...(timeout === undefined ? {} : { timeout: `${timeout}` }),
        },
        onProgress: ({ bytes, total }) => bar.update(bytes, total ?? version.size),
        onWait: (wait) => {
          bar.end()
          session.note(waitWords(wait))
        },
      },
      session.signal,
    )
  } finally {
    bar.end()
  }
}

function waitWords({ for: what, holders }: ReadingWait): string {
  if (what === 'confirmation') return 'waiting until the network has confirmed that you read it…'
  const names = holders.map(printable).join(', ')
  return holders.length === 0
    ? 'waiting: no device is known that can give its key…'
    : `waiting for a device that can give its key: ${names}. Ctrl-C leaves it; the same command goes on later.`
}

/**
 * The bytes of a version from `from` to before `to`. An answer that breaks off is asked for again from there: it
 * goes on, or says why it cannot.
 *
 * @throws NODE_CUT, INTERRUPTED, what the node answers
 */
export async function* contentOf(
  { client, file, version }: Wanted,
  { from, to }: { readonly from: number; readonly to: number },
  { signal }: Session,
): AsyncGenerator<Buffer> {
  const path = `/api/v1/files/${file}/content`
  const query = { version: version.version }
  let at = from
  while (at < to) {
    const began = at
    const headers = { range: `bytes=${at}-${to - 1}` }
    const response = await client.open('GET', path, { query, headers }, signal)
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        at += chunk.length
        yield chunk
      }
      if (at < to && at === began) throw interfaceError('NODE_CUT')
    } catch (error) {
      if (signal.aborted) throw interfaceError('INTERRUPTED')
      if (!CUTS.has(codeOf(error)) || at === began) throw cutError(error)
    }
  }
}

/** How a connection that ends too early shows. */
const CUTS = new Set(['ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'])

function cutError(error: unknown): unknown {
  return CUTS.has(codeOf(error)) ? interfaceError('NODE_CUT', {}, error) : error
}
