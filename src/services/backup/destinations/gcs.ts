/**
 * Backups in Google Cloud Storage, through its JSON API. The service is told the MD5 of what it gets and refuses other
 * bytes; the MD5 that it answers with is compared again, and once more when the object is read.
 */
import type { Clock } from '../../../common/clock.ts'
import type { Destination, StoredObject } from '../destination.ts'
import { isObjectName, objectName } from '../object-name.ts'
import {
  answerError,
  isObject,
  jsonOf,
  MAX_OBJECT_BYTES,
  malformed,
  mustEnd,
  sizeOf,
  succeeded,
  timeOf,
} from './answers.ts'
import { digest, mustEqual, mustFit } from './digests.ts'
import { createTokenSource, type ServiceAccount } from './google-token.ts'
import { at, createHttp, type HttpAnswer, type HttpRequest } from './http.ts'
import { inOrder } from './s3-list.ts'

export interface GcsInit {
  /** For people and logs: `gcs my-bucket`. */
  readonly name: string
  readonly bucket: string
  readonly account: ServiceAccount
  /** `https://storage.googleapis.com` */
  readonly endpoint: URL
  /** What stands before the names of objects in the bucket: `backups/`. */
  readonly prefix: string
}

export function createGcsDestination(
  components: { readonly clock: Pick<Clock, 'now'> },
  init: GcsInit,
): Destination {
  const { clock } = components
  const { name: destination, bucket, endpoint, prefix } = init
  const http = createHttp(destination)
  const tokens = createTokenSource({ http, clock }, { account: init.account, destination })

  const authorised = async (request: HttpRequest): Promise<HttpAnswer> => {
    for (let tries = 0; ; tries++) {
      request.signal.throwIfAborted()
      const authorization = `Bearer ${await tokens.token(request.signal)}`
      const answer = await http.send({
        ...request,
        headers: { ...request.headers, authorization },
      })
      if (answer.status !== 401 || tries > 0) return answer
      // A token can be withdrawn before its time.
      tokens.forget()
    }
  }
  const objects = ['storage', 'v1', 'b', bucket, 'o']
  const urlOf = (name: string, query: Readonly<Record<string, string>> = {}): URL =>
    at(endpoint, [...objects, `${prefix}${objectName(name)}`], query)
  const failed = (answer: HttpAnswer, object?: string, size?: number): Error =>
    answerError(answer, {
      destination,
      now: clock.now(),
      ...(object === undefined ? {} : { object }),
      ...(size === undefined ? {} : { size }),
    })

  return {
    kind: 'gcs',
    name: destination,
    put: async (name, bytes, { signal, label }) => {
      const key = `${prefix}${objectName(name)}`
      mustFit(bytes, destination, name)
      const md5Hash = digest(bytes, 'md5', 'base64')
      const sha256 = digest(bytes, 'sha256', 'hex')
      const metadata = { sha256, ...(label === undefined ? {} : { label }) }
      const about = { name: key, contentType: 'application/octet-stream', md5Hash, metadata }
      const { body, contentType } = related(JSON.stringify(about), bytes, sha256)
      const answer = await authorised({
        method: 'POST',
        url: at(endpoint, ['upload', ...objects], { uploadType: 'multipart' }),
        headers: { 'content-type': contentType },
        body,
        signal,
      })
      if (!succeeded(answer)) throw failed(answer, undefined, bytes.length)
      const stored = jsonOf(answer, destination).md5Hash
      if (typeof stored !== 'string') throw malformed(destination, 'no digest of what it stored')
      mustEqual(stored, md5Hash, { destination, name })
    },
    get: async (name, signal, maxBytes = MAX_OBJECT_BYTES) => {
      const url = urlOf(name, { alt: 'media' })
      const answer = await authorised({ method: 'GET', url, signal, maxBytes })
      if (!succeeded(answer)) throw failed(answer, name)
      const hashes = answer.headers['x-goog-hash']
      const noted = /(?:^|[,\s])md5=([\w+/]+={0,2})/.exec(String(hashes ?? ''))?.[1]
      if (noted !== undefined) {
        mustEqual(digest(answer.body, 'md5', 'base64'), noted, { destination, name })
      }
      return answer.body
    },
    list: async (wanted, signal) => {
      const found: StoredObject[] = []
      let token: string | undefined
      do {
        const url = at(endpoint, objects, {
          prefix: `${prefix}${wanted}`,
          maxResults: '1000',
          fields: 'items(name,size,timeCreated),nextPageToken',
          pageToken: token,
        })
        const answer = await authorised({ method: 'GET', url, signal })
        if (!succeeded(answer)) throw failed(answer)
        const page = jsonOf(answer, destination)
        for (const item of itemsOf(page.items, destination)) {
          const key = item.name
          if (typeof key !== 'string' || !key.startsWith(prefix)) continue
          const name = key.slice(prefix.length)
          // Objects of other programs in the same bucket.
          if (!isObjectName(name)) continue
          const size = sizeOf(item.size, destination)
          found.push({ name, size, stored: timeOf(item.timeCreated, destination) })
        }
        mustEnd(found.length, destination)
        const next = page.nextPageToken
        if (next !== undefined && (typeof next !== 'string' || next === token)) {
          throw malformed(destination, 'a list that has more and does not say where')
        }
        token = next
      } while (token !== undefined)
      return inOrder(found)
    },
    remove: async (name, signal) => {
      const answer = await authorised({ method: 'DELETE', url: urlOf(name), signal })
      if (!succeeded(answer) && answer.status !== 404) throw failed(answer, name)
    },
    close: async () => http.close(),
  }
}

/** `multipart/related`: what the object is, then its bytes. Its own digest cannot stand in it by chance. */
function related(
  json: string,
  bytes: Uint8Array,
  digest: string,
): { readonly body: Uint8Array; readonly contentType: string } {
  const boundary = `cairn-${digest.slice(0, 48)}`
  const head = [
    `--${boundary}`,
    'Content-Type: application/json; charset=UTF-8',
    '',
    json,
    `--${boundary}`,
    'Content-Type: application/octet-stream',
    '',
    '',
  ].join('\r\n')
  const body = Buffer.concat([Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)])
  return { body, contentType: `multipart/related; boundary=${boundary}` }
}

function itemsOf(
  items: unknown,
  destination: string,
): readonly Readonly<Record<string, unknown>>[] {
  if (items === undefined) return []
  if (!Array.isArray(items)) throw malformed(destination, 'no list of objects')
  return items.filter(isObject)
}
