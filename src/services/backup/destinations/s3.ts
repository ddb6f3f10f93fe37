/**
 * Backups in object storage that speaks S3: Amazon, Cloudflare R2, and every other endpoint.
 *
 * Requests are signed (AWS Signature 4) with the SHA-256 of their body, so that a service takes no other bytes than
 * were sent; what is stored is then proven by the SHA-256 that the service computed or, where it gives none, by
 * reading the object back.
 */
import { AwsV4Signer } from 'aws4fetch'
import { type Clock, sleep } from '../../../common/clock.ts'
import type { Destination, StoredObject } from '../destination.ts'
import { objectName } from '../object-name.ts'
import { answerError, MAX_OBJECT_BYTES, mustEnd, succeeded } from './answers.ts'
import { digest, mustEqual, mustFit } from './digests.ts'
import { at, createHttp, type HttpAnswer, type HttpRequest } from './http.ts'
import { inOrder, readPage } from './s3-list.ts'
import { oneAtATime } from './waiting.ts'

export interface S3Init {
  /** For people and logs: `r2 my-bucket`. */
  readonly name: string
  /** Address under which the bucket's objects are: `https://host/bucket`, or `https://bucket.host`. */
  readonly bucketUrl: URL
  /** `auto` for R2. */
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Of temporary credentials. */
  readonly sessionToken?: string
  /** What stands before the names of objects in the bucket: `backups/`. */
  readonly prefix: string
}

/** SHA-256 of nothing, for requests without a body. */
const EMPTY = digest(new Uint8Array(), 'sha256', 'hex')

/** How often a stored object is read back before it counts as wrong, and the milliseconds in between. */
const PROOFS = 3
const PROOF_PAUSE_MS = 250

export function createS3Destination(
  components: { readonly clock: Clock },
  init: S3Init,
): Destination {
  const { clock } = components
  const { name: destination, bucketUrl, prefix } = init
  const http = createHttp(destination)
  // Not every service keeps two that write one object at the same time apart.
  const inTurn = oneAtATime()

  const signed = async (request: HttpRequest): Promise<HttpAnswer> => {
    const { method, url, body, headers, signal } = request
    signal.throwIfAborted()
    const signer = new AwsV4Signer({
      method,
      url: url.href,
      headers: {
        ...headers,
        'x-amz-content-sha256': body === undefined ? EMPTY : digest(body, 'sha256', 'hex'),
      },
      accessKeyId: init.accessKeyId,
      secretAccessKey: init.secretAccessKey,
      ...(init.sessionToken === undefined ? {} : { sessionToken: init.sessionToken }),
      service: 's3',
      region: init.region,
      datetime: new Date(clock.now()).toISOString().replace(/[:-]|\.\d{3}/g, ''),
    })
    const ready = await signer.sign()
    return http.send({ ...request, url: ready.url, headers: Object.fromEntries(ready.headers) })
  }
  const urlOf = (name: string): URL => at(bucketUrl, `${prefix}${objectName(name)}`.split('/'))
  const failed = (answer: HttpAnswer, object?: string, size?: number): Error =>
    answerError(answer, {
      destination,
      now: clock.now(),
      ...(object === undefined ? {} : { object }),
      ...(size === undefined ? {} : { size }),
    })

  /** The bytes, and the SHA-256 that stands beside them. */
  const read = async (
    name: string,
    signal: AbortSignal,
    maxBytes: number = MAX_OBJECT_BYTES,
  ): Promise<{ readonly bytes: Uint8Array; readonly found: string; readonly noted?: string }> => {
    const url = urlOf(name)
    const answer = await signed({ method: 'GET', url, signal, maxBytes })
    if (!succeeded(answer)) throw failed(answer, name)
    const noted = answer.headers['x-amz-meta-sha256']
    const found = digest(answer.body, 'sha256', 'hex')
    return { bytes: answer.body, found, ...(typeof noted === 'string' ? { noted } : {}) }
  }

  /** Reads back what was stored. */
  const prove = async (name: string, hash: string, signal: AbortSignal): Promise<void> => {
    for (let tries = 1; ; tries++) {
      const { found, noted } = await read(name, signal)
      // Another process may have replaced it since.
      if (found === hash || (noted === found && noted !== hash)) return
      // Some services show an object a moment after they took it.
      if (tries === PROOFS) mustEqual(found, hash, { destination, name })
      await sleep(clock, PROOF_PAUSE_MS, signal)
    }
  }

  return {
    kind: 's3',
    name: destination,
    put: (name, bytes, { signal }) =>
      inTurn(name, signal, async () => {
        const url = urlOf(name)
        mustFit(bytes, destination, name)
        const checksum = digest(bytes, 'sha256', 'base64')
        const hash = Buffer.from(checksum, 'base64').toString('hex')
        const answer = await signed({
          method: 'PUT',
          url,
          body: bytes,
          headers: {
            'content-type': 'application/octet-stream',
            'x-amz-checksum-sha256': checksum,
            'x-amz-meta-sha256': hash,
          },
          signal,
        })
        if (!succeeded(answer)) throw failed(answer, undefined, bytes.length)
        const computed = answer.headers['x-amz-checksum-sha256']
        if (typeof computed === 'string') mustEqual(computed, checksum, { destination, name })
        else await prove(name, hash, signal)
      }),
    get: async (name, signal, maxBytes) => {
      const { bytes, found, noted } = await read(name, signal, maxBytes)
      mustEqual(noted, found, { destination, name })
      return bytes
    },
    list: async (wanted, signal) => {
      const found: StoredObject[] = []
      let token: string | undefined
      do {
        const url = at(bucketUrl, [''], {
          'list-type': '2',
          'max-keys': '1000',
          prefix: `${prefix}${wanted}`,
          'continuation-token': token,
        })
        const answer = await signed({ method: 'GET', url, signal })
        if (!succeeded(answer)) throw failed(answer)
        const page = readPage(answer.body, prefix, destination, token)
        found.push(...page.objects)
        mustEnd(found.length, destination)
        token = page.next
      } while (token !== undefined)
      return inOrder(found)
    },
    remove: async (name, signal) => {
      const answer = await signed({ method: 'DELETE', url: urlOf(name), signal })
      if (!succeeded(answer)) {
        const error = failed(answer, name)
        if (!('code' in error) || error.code !== 'OBJECT_NOT_FOUND') throw error
      }
    },
    close: async () => http.close(),
  }
}
