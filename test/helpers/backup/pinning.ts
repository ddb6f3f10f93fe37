/**
 * A pinning service of the Pinning Service API 1.0 (https://ipfs.github.io/pinning-services-api-spec/), strict about what it
 * is sent, with a gateway. It fetches content from where the pin says that it is: `fetchFrom`.
 */
import { isObject } from '../../../src/services/backup/destinations/answers.ts'
import { json, type LocalService, type Reply, type Request, serve } from './local-service.ts'

export interface PinningInit {
  readonly token: string
  /** The content of a CID, from its origins; undefined: it is not to be had. */
  fetchFrom(cid: string, origins: readonly string[]): Promise<Uint8Array | undefined>
  /** Addresses of its own nodes. */
  readonly delegates: readonly string[]
  /** Pins of a page. */
  readonly page?: number
}

interface PinRow {
  readonly requestid: string
  status: 'queued' | 'pinning' | 'pinned' | 'failed'
  readonly created: string
  readonly pin: Readonly<Record<string, unknown>>
  readonly delegates: readonly string[]
}

export interface PinningServer extends LocalService {
  readonly pins: Map<string, PinRow>
  readonly content: Map<string, Uint8Array>
}

const STATUSES = ['queued', 'pinning', 'pinned', 'failed']

export async function startPinning(init: PinningInit): Promise<PinningServer> {
  const pins: PinningServer['pins'] = new Map()
  const content: PinningServer['content'] = new Map()
  let count = 0
  let last = 0

  const answer = (request: Request): Reply => {
    const { method, url, headers } = request
    if (url.pathname.startsWith('/ipfs/')) {
      const bytes = content.get(url.pathname.slice('/ipfs/'.length))
      return bytes === undefined ? { status: 404 } : { status: 200, body: bytes }
    }
    if (headers.authorization !== `Bearer ${init.token}`) return problem(401, 'UNAUTHORIZED')
    const [, first, id, ...more] = url.pathname.split('/')
    if (first !== 'pins' || more.length > 0) return problem(404, 'NOT_FOUND')
    if (id === undefined) {
      if (method === 'POST') return add(request)
      return method === 'GET' ? list(url.searchParams) : problem(400, 'BAD_REQUEST')
    }
    const row = pins.get(id)
    if (row === undefined) return problem(404, 'NOT_FOUND')
    if (method === 'GET') return json(200, row)
    if (method !== 'DELETE') return problem(400, 'BAD_REQUEST')
    pins.delete(id)
    const cid = String(row.pin.cid)
    if (![...pins.values()].some((other) => other.pin.cid === cid)) content.delete(cid)
    return { status: 202 }
  }

  const add = ({ headers, body }: Request): Reply => {
    if (headers['content-type'] !== 'application/json') return problem(400, 'BAD_REQUEST')
    const pin: unknown = JSON.parse(body.toString())
    if (!isObject(pin) || typeof pin.cid !== 'string') return problem(400, 'BAD_REQUEST')
    const { name, origins, meta } = pin
    if (name !== undefined && (typeof name !== 'string' || name.length > 255)) {
      return problem(400, 'BAD_REQUEST')
    }
    const from = Array.isArray(origins) ? origins.map(String) : []
    if (from.length > 20) return problem(400, 'BAD_REQUEST')
    const strings = isObject(meta) && Object.values(meta).every((each) => typeof each === 'string')
    if (meta !== undefined && !strings) return problem(400, 'BAD_REQUEST')
    // Pins of one moment would have no order.
    last = Math.max(Date.now(), last + 1)
    const row: PinRow = {
      requestid: `request-${++count}`,
      status: 'queued',
      created: new Date(last).toISOString(),
      pin,
      delegates: init.delegates,
    }
    pins.set(row.requestid, row)
    const cid = pin.cid
    init.fetchFrom(cid, from).then(
      (bytes) => {
        row.status = bytes === undefined ? 'failed' : 'pinned'
        if (bytes !== undefined) content.set(cid, bytes)
      },
      () => {
        row.status = 'failed'
      },
    )
    return json(202, row)
  }

  const list = (query: URLSearchParams): Reply => {
    const limit = Number(query.get('limit') ?? 10)
    const statuses = (query.get('status') ?? 'pinned').split(',')
    if (!(limit >= 1 && limit <= 1000)) return problem(400, 'BAD_REQUEST')
    if (!statuses.every((each) => STATUSES.includes(each))) return problem(400, 'BAD_REQUEST')
    if (query.has('name') && query.get('match') !== 'exact') return problem(400, 'BAD_REQUEST')
    const meta: unknown = JSON.parse(query.get('meta') ?? '{}')
    const before = query.get('before')
    const fits = ({ status, created, pin }: PinRow): boolean =>
      statuses.includes(status) &&
      (before === null || created < before) &&
      (!query.has('name') || pin.name === query.get('name')) &&
      Object.entries(isObject(meta) ? meta : {}).every(
        ([key, value]) => isObject(pin.meta) && pin.meta[key] === value,
      )
    const found = [...pins.values()].filter(fits).reverse()
    const results = found.slice(0, Math.min(limit, init.page ?? limit))
    return json(200, { count: found.length, results })
  }

  return { ...(await serve(answer)), pins, content }
}

const problem = (status: number, reason: string): Reply =>
  json(status, { error: { reason, details: 'words' } })
