/**
 * Pinata's API (https://docs.pinata.cloud: pinFileToIPFS, pinList, unpin) and a gateway, strict about what they are sent.
 * Content has the CIDs that it really has: one raw block for a small file; what is larger, or a file in a directory of
 * its own when asked for, has another one.
 */
import { createHash } from 'node:crypto'
import { isObject } from '../../../src/services/backup/destinations/answers.ts'
import {
  json,
  type LocalService,
  multipart,
  type Reply,
  type Request,
  serve,
} from './local-service.ts'

export interface PinataServer extends LocalService {
  /** Pins by CID. */
  readonly pins: Map<string, PinRow>
  /** Content by path under `/ipfs/`. */
  readonly content: Map<string, Buffer>
}

export interface PinRow {
  readonly id: string
  readonly ipfs_pin_hash: string
  readonly size: number
  readonly date_pinned: string
  readonly metadata: { readonly name: string; readonly keyvalues: Readonly<Record<string, string>> }
}

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'
/** The most that Pinata takes. */
const MAX_KEYVALUES = 10

export const PINATA_KEYS = { key: 'pinata-key', secret: 'pinata-secret', jwt: 'pinata.jwt' }

/** @param blockBytes - the largest file that is one block */
export async function startPinata(blockBytes = 262_144): Promise<PinataServer> {
  const pins: PinataServer['pins'] = new Map()
  const content: PinataServer['content'] = new Map()
  let count = 0

  const answer = (request: Request): Reply => {
    const { method, url } = request
    if (url.pathname.startsWith('/ipfs/')) {
      if (method !== 'GET' || request.headers.authorization !== undefined) return { status: 400 }
      const bytes = content.get(url.pathname.slice('/ipfs/'.length))
      return bytes === undefined ? { status: 404 } : { status: 200, body: bytes }
    }
    const refused = refusal(request)
    if (refused !== undefined) return refused
    if (method === 'POST' && url.pathname === '/pinning/pinFileToIPFS') return pin(request)
    if (method === 'GET' && url.pathname === '/data/pinList') return list(url.searchParams)
    const unpinned = /^\/pinning\/unpin\/(\w+)$/.exec(url.pathname)?.[1]
    if (method !== 'DELETE' || unpinned === undefined) return { status: 404 }
    if (!pins.delete(unpinned)) return problem(400, 'CURRENT_USER_HAS_NOT_PINNED_CID')
    for (const path of content.keys()) if (path.startsWith(unpinned)) content.delete(path)
    return { status: 200, body: 'OK' }
  }

  const pin = (request: Request): Reply => {
    if (!request.headers['content-type']?.startsWith('multipart/form-data; ')) {
      return problem(400, 'INVALID_FORM')
    }
    const parts = new Map(
      multipart(request).map((part) => [/name="(\w+)"/.exec(part.head)?.[1], part]),
    )
    const file = parts.get('file')
    const filename = /filename="([^"]+)"/.exec(file?.head ?? '')?.[1]
    if (file === undefined || filename === undefined) return problem(400, 'MISSING_FILE')
    const metadata: unknown = JSON.parse(parts.get('pinataMetadata')?.bytes.toString() ?? '{}')
    const options: unknown = JSON.parse(parts.get('pinataOptions')?.bytes.toString() ?? '{}')
    if (!isObject(metadata) || !isObject(options) || options.cidVersion !== 1) {
      return problem(400, 'INVALID_OPTIONS')
    }
    const { name, keyvalues } = metadata
    if (typeof name !== 'string' || !isObject(keyvalues)) return problem(400, 'INVALID_METADATA')
    const values = Object.entries(keyvalues)
    if (values.length > MAX_KEYVALUES || values.some(([, each]) => typeof each !== 'string')) {
      return problem(400, 'INVALID_METADATA_KEYVALUES')
    }
    const wrapped = options.wrapWithDirectory === true
    const isOne = !wrapped && file.bytes.length <= blockBytes
    const cid = cidOf(isOne ? file.bytes : Buffer.concat([Buffer.from(filename), file.bytes]))
    const date = new Date().toISOString()
    const known = pins.get(cid)
    if (known === undefined) {
      const strings = Object.fromEntries(values.map(([key, value]) => [key, String(value)]))
      pins.set(cid, {
        id: String(++count),
        ipfs_pin_hash: cid,
        size: file.bytes.length,
        date_pinned: date,
        metadata: { name, keyvalues: strings },
      })
      content.set(wrapped ? `${cid}/${filename}` : cid, file.bytes)
    }
    return json(200, {
      IpfsHash: cid,
      PinSize: file.bytes.length,
      Timestamp: date,
      ...(known === undefined ? {} : { isDuplicate: true }),
    })
  }

  const list = (query: URLSearchParams): Reply => {
    if (query.get('status') !== 'pinned') return problem(400, 'NOT_WHAT_IS_WANTED')
    const limit = Number(query.get('pageLimit') ?? 10)
    const offset = Number(query.get('pageOffset') ?? 0)
    if (!(limit <= 1000)) return problem(400, 'INVALID_PAGE_LIMIT')
    const wanted: unknown = JSON.parse(query.get('metadata[keyvalues]') ?? '{}')
    const fits = (row: PinRow): boolean =>
      Object.entries(isObject(wanted) ? wanted : {}).every(
        ([key, each]) =>
          isObject(each) && each.op === 'eq' && row.metadata.keyvalues[key] === each.value,
      )
    const rows = [...pins.values()].filter(fits).reverse()
    return json(200, { rows: rows.slice(offset, offset + limit) })
  }

  return { ...(await serve(answer)), pins, content }
}

function refusal({ headers }: Request): Reply | undefined {
  if (headers.authorization !== undefined) {
    const good = headers.authorization === `Bearer ${PINATA_KEYS.jwt}`
    return good ? undefined : problem(401, 'INVALID_CREDENTIALS')
  }
  const good =
    headers.pinata_api_key === PINATA_KEYS.key &&
    headers.pinata_secret_api_key === PINATA_KEYS.secret
  return good ? undefined : problem(401, 'INVALID_API_KEYS')
}

const problem = (status: number, reason: string): Reply =>
  json(status, { error: { reason, details: 'words' } })

/** CIDv1 of one raw block. */
export function cidOf(bytes: Uint8Array): string {
  const digest = createHash('sha256').update(bytes).digest()
  const binary = Buffer.concat([Buffer.of(1, 0x55, 0x12, 32), digest])
  let text = 'b'
  let held = 0
  let bits = 0
  for (const byte of binary) {
    held = (held << 8) | byte
    bits += 8
    for (; bits >= 5; bits -= 5) text += BASE32[(held >> (bits - 5)) & 31]
    held &= (1 << bits) - 1
  }
  return bits === 0 ? text : text + BASE32[(held << (5 - bits)) & 31]
}
