/**
 * A server of S3 that believes nothing: it works out AWS Signature 4 by itself, from the specification
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html), over what it received.
 */
import { createHash, createHmac } from 'node:crypto'
import { type LocalService, type Reply, type Request, serve } from './local-service.ts'

export interface StrictS3Init {
  readonly bucket: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
  /** Objects of a page of a list. */
  readonly page?: number
  /** Whether it tells the SHA-256 of what it stored. */
  readonly checksums?: boolean
}

export interface StrictS3 extends LocalService {
  readonly objects: Map<string, { bytes: Buffer; stored: number; sha256: string | undefined }>
  /** Requests that were taken: method and path. */
  readonly taken: string[]
}

/** Milliseconds by which a request's time may be off, as Amazon has it. */
const MAX_SKEW_MS = 15 * 60_000

export async function startStrictS3(init: StrictS3Init): Promise<StrictS3> {
  const objects: StrictS3['objects'] = new Map()
  const taken: string[] = []
  const { page = 1000, checksums = true } = init

  const answer = (request: Request): Reply => {
    const refused = refusal(request, init)
    if (refused !== undefined) return problem(403, refused)
    const { method, url, body, headers } = request
    taken.push(`${method} ${url.pathname}`)
    const [, bucket, ...rest] = url.pathname.split('/')
    if (bucket !== init.bucket) return problem(404, 'NoSuchBucket')
    const key = decodeURIComponent(rest.join('/'))
    if (key === '' && method === 'GET') return list(url.searchParams)
    const object = objects.get(key)
    if (method === 'PUT') {
      const sum = sha256(body, 'base64')
      const claimed = headers['x-amz-checksum-sha256']
      if (claimed !== undefined && claimed !== sum) return problem(400, 'BadDigest')
      const noted = headers['x-amz-meta-sha256']
      objects.set(key, { bytes: body, stored: Date.now(), sha256: noted?.toString() })
      const told = checksums ? { 'x-amz-checksum-sha256': sum } : {}
      return { status: 200, headers: { etag: '"x"', ...told } }
    }
    if (method === 'DELETE') {
      objects.delete(key)
      return { status: 204 }
    }
    if (method !== 'GET') return problem(405, 'MethodNotAllowed')
    if (object === undefined) return problem(404, 'NoSuchKey')
    const meta = object.sha256 === undefined ? {} : { 'x-amz-meta-sha256': object.sha256 }
    return { status: 200, headers: meta, body: object.bytes }
  }

  const list = (query: URLSearchParams): Reply => {
    if (query.get('list-type') !== '2') return problem(501, 'NotImplemented')
    const prefix = query.get('prefix') ?? ''
    const after = query.get('continuation-token') ?? ''
    const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
    const shown = keys.slice(0, page)
    const more = keys.length > shown.length
    const contents = shown.map((key) => {
      const object = objects.get(key)
      const time = new Date(object?.stored ?? 0).toISOString()
      return `<Contents><Key>${escaped(key)}</Key><LastModified>${time}</LastModified><ETag>&quot;x&quot;</ETag><Size>${object?.bytes.length}</Size></Contents>`
    })
    const next = more
      ? `<NextContinuationToken>${escaped(shown.at(-1) ?? '')}</NextContinuationToken>`
      : ''
    const body = `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>${more}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`
    return { status: 200, headers: { 'content-type': 'application/xml' }, body }
  }

  return { ...(await serve(answer)), objects, taken }
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

const sha256 = (data: string | Uint8Array, form: 'hex' | 'base64' = 'hex'): string =>
  createHash('sha256').update(data).digest(form)

export const problem = (status: number, code: string): Reply => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>words of the service</Message></Error>`,
})

/** Why a request is not taken, in S3's words. */
function refusal(request: Request, init: StrictS3Init): string | undefined {
  const header = request.headers.authorization ?? ''
  const parts =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      header,
    )
  if (parts === null) return 'AccessDenied'
  const [, id, day = '', region, names = '', signature] = parts
  if (id !== init.accessKeyId) return 'InvalidAccessKeyId'
  if (region !== init.region) return 'AuthorizationHeaderMalformed'
  const signed = names.split(';')
  for (const name of ['host', 'x-amz-content-sha256', 'x-amz-date']) {
    if (!signed.includes(name)) return 'AccessDenied'
  }
  for (const name of Object.keys(request.headers)) {
    if (name.startsWith('x-amz-') && !signed.includes(name)) return 'AccessDenied'
  }
  const date = String(request.headers['x-amz-date'])
  const time = Date.parse(date.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'))
  if (!(Math.abs(time - Date.now()) < MAX_SKEW_MS)) return 'RequestTimeTooSkewed'
  if (request.headers['x-amz-content-sha256'] !== sha256(request.body)) {
    return 'XAmzContentSHA256Mismatch'
  }
  const [path = '', query = ''] = request.target.split('?')
  const canonical = [
    request.method,
    path
      .split('/')
      .map((part) => uriEncoded(decodeURIComponent(part)))
      .join('/'),
    query
      .split('&')
      .filter((pair) => pair !== '')
      .map((pair) => {
        const [key = '', value = ''] = pair.split('=')
        const decode = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '))
        return `${uriEncoded(decode(key))}=${uriEncoded(decode(value))}`
      })
      .sort()
      .join('&'),
    ...signed.map((name) => `${name}:${String(request.headers[name] ?? '').trim()}`),
    '',
    names,
    sha256(request.body),
  ].join('\n')
  const scope = `${day}/${region}/s3/aws4_request`
  const text = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n')
  const hmac = (key: string | Buffer, data: string): Buffer =>
    createHmac('sha256', key).update(data).digest()
  const secret = `AWS4${init.secretAccessKey}`
  const key = ['s3', 'aws4_request'].reduce(hmac, hmac(hmac(secret, day), String(region)))
  return hmac(key, text).toString('hex') === signature ? undefined : 'SignatureDoesNotMatch'
}

/** RFC 3986, as the specification of the signature asks for. */
function uriEncoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
