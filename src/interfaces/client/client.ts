/**
 * A client of a node's HTTP API. Loads nothing of the node itself.
 *
 * @example
 * const client = await findNode(dataDir)
 * const { items } = await client.get<Page<FileSummary>>('/api/v1/files', { search: 'report' }, signal)
 */
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { CairnError, codeOf, messageOf } from '../../common/errors.ts'
import { interfaceError } from '../errors.ts'
import type { Progress, ReadingWait } from '../http/api-files.ts'
import { NDJSON, type ProgressLine } from '../http/progress.ts'
import { readLines } from './lines.ts'
import { readNodeFile, readToken } from './node-file.ts'

/** Milliseconds for the connection and for the head of an answer that needs no work. */
const ANSWER_MS = 30_000
/** Bytes of a JSON answer: a page of a thousand files is some 2 MB. */
const MAX_JSON_BYTES = 64 * 1024 * 1024
/** Connections that are kept between calls; how many are made at a time is up to who calls. */
const MAX_IDLE_CONNECTIONS = 8

export type Query = Readonly<Record<string, string | number | boolean | undefined>>

export interface CallOptions {
  readonly query?: Query
  readonly headers?: Readonly<Record<string, string>>
  /** JSON to send. */
  readonly json?: unknown
  /** Bytes to send. */
  readonly body?: Readable
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** Told when the node waits for a confirmation or for a key. */
  readonly onWait?: ((wait: ReadingWait) => void) | undefined
  /** Milliseconds until the head of the answer; Infinity for work that may take any time. */
  readonly answerMs?: number
}

export interface Client {
  readonly url: string
  /** A JSON answer. @throws the node's error under its code; NO_NODE, NODE_SILENT, NODE_ANSWER */
  call<T>(method: string, path: string, options: CallOptions, signal: AbortSignal): Promise<T>
  get<T>(path: string, query: Query, signal: AbortSignal): Promise<T>
  /** Work with progress: its result. @throws as `call`; NODE_CUT */
  work<T>(method: string, path: string, options: CallOptions, signal: AbortSignal): Promise<T>
  /** The raw answer: status below 300, body unread. @throws as `call` */
  open(
    method: string,
    path: string,
    options: CallOptions,
    signal: AbortSignal,
  ): Promise<IncomingMessage>
}

/** The client of the node that runs for `dataDir`. @throws NO_NODE */
export async function findNode(dataDir: string): Promise<Client> {
  const file = await readNodeFile(dataDir)
  return createClient({ url: file.api, token: await readToken(dataDir, file), dataDir })
}

export function createClient({
  url,
  token,
  dataDir,
}: {
  readonly url: string
  readonly token: string
  readonly dataDir: string
}): Client {
  // Idle connections do not keep the process, and the node tells how long it keeps them.
  const agent = new Agent({ keepAlive: true, maxFreeSockets: MAX_IDLE_CONNECTIONS })

  async function open(
    method: string,
    path: string,
    options: CallOptions,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    try {
      return await openOnce(method, path, options, signal)
    } catch (error) {
      // The node may have closed an idle connection just now; a question can be put again.
      if (method !== 'GET' || codeOf((error as Error).cause) !== 'ECONNRESET') throw error
      return openOnce(method, path, options, signal)
    }
  }

  async function openOnce(
    method: string,
    path: string,
    { query = {}, headers = {}, json, body, answerMs = ANSWER_MS }: CallOptions,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const target = new URL(path, url)
    for (const [key, value] of Object.entries(query)) {
      if (value !== undefined) target.searchParams.set(key, String(value))
    }
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent: Record<string, string> = { authorization: `Bearer ${token}`, ...headers }
      const text = json === undefined ? undefined : JSON.stringify(json)
      if (text !== undefined) sent['content-type'] = 'application/json'
      const outgoing = httpRequest(target, { method, headers: sent, signal, agent })
      let timer: NodeJS.Timeout | undefined
      if (Number.isFinite(answerMs)) {
        timer = setTimeout(() => {
          outgoing.destroy(interfaceError('NODE_SILENT', { url, why: 'no answer came in time' }))
        }, answerMs)
      }
      outgoing.on('response', (answer) => {
        clearTimeout(timer)
        resolve(answer)
      })
      outgoing.on('error', (error) => {
        clearTimeout(timer)
        body?.destroy()
        reject(failure(error, signal, { url, dataDir }))
      })
      if (body === undefined) return void outgoing.end(text)
      body.on('error', (error) => outgoing.destroy(error))
      body.pipe(outgoing)
    })
    if ((response.statusCode ?? 500) < 300) return response
    body?.unpipe()
    throw await refusal(response, url)
  }

  const call = async <T>(
    method: string,
    path: string,
    options: CallOptions,
    signal: AbortSignal,
  ): Promise<T> => readJson<T>(await open(method, path, options, signal), url)

  return {
    url,
    open,
    call,
    get: (path, query, signal) => call('GET', path, { query }, signal),
    work: async <T>(
      method: string,
      path: string,
      { onProgress, onWait, ...options }: CallOptions,
      signal: AbortSignal,
    ): Promise<T> => {
      const headers = { ...options.headers, accept: NDJSON }
      const patient = { answerMs: Number.POSITIVE_INFINITY, ...options, headers }
      const response = await open(method, path, patient, signal)
      if (!(response.headers['content-type'] ?? '').startsWith(NDJSON))
        return readJson(response, url)
      let done: { readonly result: unknown } | undefined
      try {
        // Read to its end, so that the connection can be used again.
        for await (const line of readLines(response)) {
          const part = parse(line, url) as ProgressLine
          if (part.type === 'progress') onProgress?.(part)
          else if (part.type === 'wait') onWait?.(part)
          else if (part.type === 'done') done = part
          else
            throw new CairnError(part.error.code, part.error.message, {
              details: flat(part.error.details),
            })
        }
      } catch (error) {
        if (error instanceof CairnError) throw error
        // What is done stays done, whatever becomes of the connection.
        if (done === undefined)
          throw signal.aborted
            ? interfaceError('INTERRUPTED')
            : interfaceError('NODE_CUT', {}, error)
      }
      if (done === undefined) throw interfaceError('NODE_CUT')
      return done.result as T
    },
  }
}

function failure(
  error: Error,
  signal: AbortSignal,
  { url, dataDir }: { url: string; dataDir: string },
): Error {
  if (signal.aborted) return interfaceError('INTERRUPTED')
  if (error instanceof CairnError) return error
  const code = codeOf(error)
  if (code === 'ECONNREFUSED') return interfaceError('NO_NODE', { dataDir }, error)
  const local = ['ENOENT', 'EACCES', 'EISDIR', 'EIO', 'EPERM'].includes(code)
  return local ? error : interfaceError('NODE_SILENT', { url, why: messageOf(error) }, error)
}

async function refusal(response: IncomingMessage, url: string): Promise<Error> {
  const { error } = await readJson<{ error?: { code: string; message: string; details: object } }>(
    response,
    url,
  )
  if (typeof error?.code !== 'string' || typeof error.message !== 'string') {
    return interfaceError('NODE_ANSWER', { url, why: `status ${response.statusCode}` })
  }
  return new CairnError(error.code, error.message, { details: flat(error.details) })
}

/** Details stay flat in errors: lists become JSON text again. */
function flat(details: object): CairnError['details'] {
  const entries = Object.entries(details ?? {}).map(([key, value]: [string, unknown]) => [
    key,
    value !== null && typeof value === 'object' ? JSON.stringify(value) : value,
  ])
  return Object.fromEntries(entries)
}

async function readJson<T>(response: IncomingMessage, url: string): Promise<T> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > MAX_JSON_BYTES)
        throw interfaceError('NODE_ANSWER', { url, why: 'it is too large' })
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof CairnError) throw error
    throw interfaceError('NODE_CUT', {}, error)
  }
  return parse(Buffer.concat(chunks).toString(), url) as T
}

function parse(text: string, url: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw interfaceError('NODE_ANSWER', { url, why: 'it is not JSON' }, error)
  }
}
