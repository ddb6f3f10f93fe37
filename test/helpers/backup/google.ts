/**
 * Google's token address and the JSON API of Cloud Storage, as documented
 * (https://developers.google.com/identity/protocols/oauth2/service-account, https://cloud.google.com/storage/docs/json_api),
 * strict about everything that it is sent.
 */
import { createHash, generateKeyPairSync, verify } from 'node:crypto'
import { isObject } from '../../../src/services/backup/destinations/answers.ts'
import {
  json,
  type LocalService,
  multipart,
  type Reply,
  type Request,
  serve,
} from './local-service.ts'

export interface Google extends LocalService {
  /** A service account's key, as Google gives it. */
  readonly credentials: string
  readonly objects: Map<string, { bytes: Buffer; created: number; metadata: unknown }>
  /** How many tokens were given. */
  tokens(): number
  /** Makes all tokens that were given useless. */
  withdraw(): void
}

const PAGE = 50
const ACCOUNT = 'backup@project.iam.gserviceaccount.com'
const SCOPE = 'https://www.googleapis.com/auth/devstorage.read_write'

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

export async function startGoogle(bucket: string): Promise<Google> {
  const objects: Google['objects'] = new Map()
  let given = 0
  let firstGood = 1

  const answer = (request: Request): Reply => {
    const { method, url } = request
    if (method === 'POST' && url.pathname === '/token') return token(request)
    const bearer = /^Bearer token-(\d+)$/.exec(request.headers.authorization ?? '')?.[1]
    if (bearer === undefined || Number(bearer) < firstGood || Number(bearer) > given) {
      return problem(401, 'authError')
    }
    const parts = url.pathname.split('/').slice(1).map(decodeURIComponent)
    const [first, ...rest] = parts
    const upload = first === 'upload'
    const [api, version, b, named, o, key, ...more] = upload ? rest : parts
    if (api !== 'storage' || version !== 'v1' || b !== 'b' || o !== 'o' || more.length > 0) {
      return problem(404, 'notFound')
    }
    if (named !== bucket) return problem(404, 'notFound')
    if (upload && method === 'POST' && key === undefined) return store(request)
    if (key === undefined) return method === 'GET' ? list(url.searchParams) : problem(405, 'x')
    const object = objects.get(key)
    if (object === undefined) return problem(404, 'notFound')
    if (method === 'DELETE') {
      objects.delete(key)
      return { status: 204 }
    }
    if (method !== 'GET' || url.searchParams.get('alt') !== 'media') return problem(400, 'invalid')
    const hash = `crc32c=AAAAAA==,md5=${md5(object.bytes)}`
    return { status: 200, headers: { 'x-goog-hash': hash }, body: object.bytes }
  }

  const token = ({ body, headers }: Request): Reply => {
    if (headers['content-type'] !== 'application/x-www-form-urlencoded') {
      return json(400, { error: 'invalid_request' })
    }
    const form = new URLSearchParams(body.toString())
    if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') {
      return json(400, { error: 'unsupported_grant_type' })
    }
    const parts = (form.get('assertion') ?? '').split('.')
    const [header = '', claims = '', signature = ''] = parts
    const signed = Buffer.from(`${header}.${claims}`)
    const good = verify('sha256', signed, publicKey, Buffer.from(signature, 'base64url'))
    const read = (text: string): unknown => JSON.parse(Buffer.from(text, 'base64url').toString())
    const said = good ? read(claims) : undefined
    const how = good ? read(header) : undefined
    const now = Date.now() / 1000
    const fits =
      isObject(said) &&
      isObject(how) &&
      how.alg === 'RS256' &&
      how.typ === 'JWT' &&
      how.kid === 'key-1' &&
      said.iss === ACCOUNT &&
      said.scope === SCOPE &&
      said.aud === `${service.origin}/token` &&
      Math.abs(Number(said.iat) - now) < 60 &&
      Number(said.exp) - Number(said.iat) <= 3600
    if (!fits) return json(400, { error: 'invalid_grant', error_description: 'Invalid JWT' })
    return json(200, { access_token: `token-${++given}`, expires_in: 3599, token_type: 'Bearer' })
  }

  const store = (request: Request): Reply => {
    if (request.url.searchParams.get('uploadType') !== 'multipart') return problem(400, 'invalid')
    if (!request.headers['content-type']?.startsWith('multipart/related; ')) {
      return problem(400, 'badRequest')
    }
    const [about, content, ...more] = multipart(request)
    if (about === undefined || content === undefined || more.length > 0) {
      return problem(400, 'badRequest')
    }
    const value: unknown = JSON.parse(about.bytes.toString())
    if (!about.head.includes('application/json') || !isObject(value)) return problem(400, 'parse')
    const { name, md5Hash, metadata } = value
    if (typeof name !== 'string' || name === '') return problem(400, 'required')
    if (md5Hash !== undefined && md5Hash !== md5(content.bytes)) return problem(400, 'invalid')
    const created = Date.now()
    objects.set(name, { bytes: content.bytes, created, metadata })
    const size = String(content.bytes.length)
    return json(200, { kind: 'storage#object', name, size, md5Hash: md5(content.bytes) })
  }

  const list = (query: URLSearchParams): Reply => {
    const prefix = query.get('prefix') ?? ''
    const after = query.get('pageToken') ?? ''
    const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
    const shown = keys.slice(0, PAGE)
    const items = shown.map((name) => {
      const { bytes, created } = objects.get(name) ?? { bytes: Buffer.of(), created: 0 }
      return { name, size: String(bytes.length), timeCreated: new Date(created).toISOString() }
    })
    return json(200, {
      ...(items.length === 0 ? {} : { items }),
      ...(keys.length > shown.length ? { nextPageToken: shown.at(-1) } : {}),
    })
  }

  const service = await serve(answer)
  return {
    ...service,
    objects,
    credentials: JSON.stringify({
      type: 'service_account',
      project_id: 'project',
      private_key_id: 'key-1',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      client_email: ACCOUNT,
      token_uri: `${service.origin}/token`,
    }),
    tokens: () => given,
    withdraw: () => {
      firstGood = given + 1
    },
  }
}

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('base64')

const problem = (status: number, reason: string): Reply =>
  json(status, { error: { code: status, message: 'words', errors: [{ reason }] } })
