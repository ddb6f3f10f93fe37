/** Files, folders and other blocks as a browser or curl gets them. */
import { interfaceError } from '../errors.ts'
import { contentDisposition } from '../http/content-headers.ts'
import { parseRange } from '../http/ranges.ts'
import { sendAll } from '../http/streams.ts'
import { findEntry, folderEntries, MAX_LISTED } from './folders.ts'
import { isActive, mediaTypeOf } from './media-type.ts'
import { type Entity, entityOf, fileParts } from './unixfs.ts'
import type { Visit } from './visit.ts'

/** Multicodec names of what is not UnixFS (https://github.com/multiformats/multicodec). */
const DATA_TYPES: Readonly<Record<number, string>> = {
  113: 'application/vnd.ipld.dag-cbor',
  297: 'application/vnd.ipld.dag-json',
  81: 'application/cbor',
  512: 'application/json',
}
/** A list of names may be made better later; what it lists does not change. */
const LISTING_CACHE = 'public, max-age=604800, stale-while-revalidate=2678400'

type FileEntity = Extract<Entity, { kind: 'file' }>

export async function sendFile(visit: Visit, entity: FileEntity, name?: string): Promise<void> {
  const { asked, blocks, content, request, response, signal } = visit
  const { cid, size } = entity
  const range = rangeOf(visit, size)
  const known = content.describe(cid)
  const shownName = asked.filename ?? name ?? asked.segments.at(-1) ?? known?.name
  const type =
    asked.filename === undefined &&
    asked.segments.length === 0 &&
    known !== null &&
    known.mediaType !== ''
      ? known.mediaType
      : await typeOf(visit, entity, shownName)
  response.setHeader('Content-Type', type)
  // What browsers run stays caged; pictures, films and texts are shown without a cage that breaks viewers.
  if (!isActive(type)) response.removeHeader('Content-Security-Policy')
  if (asked.download || shownName !== undefined) {
    const kind = asked.download ? 'attachment' : 'inline'
    response.setHeader('Content-Disposition', contentDisposition(kind, shownName ?? `${cid}`))
  }
  response.setHeader('Content-Length', range.end - range.start)
  if (request.method === 'HEAD' || range.end === range.start) return
  await sendAll(response, dataOf(fileParts(blocks, cid, range, entity.block)), signal)
}

async function* dataOf(parts: ReturnType<typeof fileParts>): AsyncGenerator<Uint8Array> {
  for await (const { data } of parts) if (data.length > 0) yield data
}

async function typeOf(
  { blocks }: Visit,
  { cid, block, size }: FileEntity,
  name: string | undefined,
): Promise<string> {
  let head = new Uint8Array(0)
  for await (const { data } of fileParts(
    blocks,
    cid,
    { start: 0, end: Math.min(size, 512) },
    block,
  )) {
    head = new Uint8Array(data)
    if (head.length > 0) break
  }
  return mediaTypeOf(head, name === undefined ? [] : [name])
}

/** The range to send; sets status and Content-Range. @throws RANGE_UNSATISFIABLE */
function rangeOf({ request, response }: Visit, size: number): { start: number; end: number } {
  response.setHeader('Accept-Ranges', 'bytes')
  const condition = request.headers['if-range']
  const fresh = condition === undefined || condition === response.getHeader('etag')
  const range = fresh ? parseRange(request.headers.range, size) : undefined
  if (range === 'unsatisfiable') {
    response.setHeader('Content-Range', `bytes */${size}`)
    throw interfaceError('RANGE_UNSATISFIABLE', { size })
  }
  if (range === undefined) return { start: 0, end: size }
  response.statusCode = 206
  response.setHeader('Content-Range', `bytes ${range.start}-${range.end - 1}/${size}`)
  return range
}

/** One block's bytes, or a range of them. */
export function sendBlockBytes(visit: Visit, bytes: Uint8Array): void {
  const { request, response } = visit
  const { start, end } = rangeOf(visit, bytes.length)
  response.setHeader('Content-Length', end - start)
  response.end(request.method === 'HEAD' ? undefined : bytes.subarray(start, end))
}

/** A block that is not UnixFS, as its codec's own bytes. */
export function sendPlainData(visit: Visit, { cid, block }: Entity): void {
  const { response } = visit
  response.setHeader('Content-Type', DATA_TYPES[cid.code] ?? 'application/octet-stream')
  response.setHeader('Content-Disposition', contentDisposition('attachment', `${cid}.bin`))
  sendBlockBytes(visit, block)
}

/** `index.html` of a folder, or a plain list of what is in it. */
export async function sendFolder(visit: Visit, { cid }: Entity): Promise<void> {
  const { asked, blocks, request, response } = visit
  const index = await findEntry(blocks, cid, 'index.html')
  if (index !== undefined) {
    if (!asked.slash) {
      // Links in the page are relative to the folder.
      response.writeHead(301, { Location: `${asked.path}/` }).end()
      return
    }
    const entity = await entityOf(blocks, index.cid)
    if (entity.kind === 'file') return sendFile(visit, entity, 'index.html')
  }
  const rows: string[] = []
  for await (const { name, size } of folderEntries(blocks, cid)) {
    if (rows.length >= MAX_LISTED) break
    const link = ['', 'ipfs', asked.cid, ...asked.segments, name].map(encodeURIComponent).join('/')
    rows.push(`<li><a href="${link}">${escapeHtml(name)}</a> ${size}</li>`)
  }
  const title = escapeHtml(['', 'ipfs', asked.cid, ...asked.segments].join('/'))
  const html = Buffer.from(
    `<!doctype html><meta charset="utf-8"><title>${title}</title><h1>${title}</h1><ul>\n${rows.join('\n')}\n</ul>\n`,
  )
  response.setHeader('Content-Type', 'text/html; charset=utf-8')
  response.setHeader('Cache-Control', LISTING_CACHE)
  response.setHeader('ETag', `W/"folder.${cid}"`)
  response.setHeader('Content-Length', html.length)
  response.end(request.method === 'HEAD' ? undefined : html)
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`)
}
