/**
 * The IPFS gateway: path gateway and trustless gateway (https://specs.ipfs.tech/http-gateways/), read-only,
 * public content only, on a port of its own so that nothing it shows shares an origin with the API.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CID } from 'multiformats/cid'
import { codeOf, messageOf } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import { meaningOf } from '../error-codes.ts'
import { interfaceError } from '../errors.ts'
import { errorBody, nameRequest, sendJson } from '../http/answer.ts'
import type { ContentApi } from '../http/api.ts'
import { contentDisposition, INERT_CONTENT_POLICY } from '../http/content-headers.ts'
import { checkHost } from '../http/guard.ts'
import { createListener, type ListenerInit, type WebServer } from '../http/listener.ts'
import { matchesEtag } from '../http/ranges.ts'
import { discardBody, sendAll } from '../http/streams.ts'
import { openBlocks, parseCid } from './blocks.ts'
import { CAR_TYPE, carOf } from './car.ts'
import { followPath } from './folders.ts'
import { sendBlockBytes, sendFile, sendFolder, sendPlainData } from './plain.ts'
import { entityRange, type GatewayRequest, readRequest } from './request.ts'
import { entityOf } from './unixfs.ts'
import type { Visit } from './visit.ts'

/** A year, and what the specification names: a CID always stands for the same bytes. */
const IMMUTABLE = 'public, max-age=29536000, immutable'

export interface GatewayComponents {
  readonly content: ContentApi
  readonly logger: Logger
}

export interface GatewayInit extends Omit<ListenerInit, 'purpose'> {
  readonly allowedHosts: readonly string[]
  /** Milliseconds that a block may take to come from another device. */
  readonly blockMs?: number
}

export function createGateway(
  { content, logger }: GatewayComponents,
  init: GatewayInit,
): WebServer {
  const log = logger.child('gateway')

  async function serve(
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const id = nameRequest(request, response)
    response.setHeader('X-Content-Type-Options', 'nosniff')
    response.setHeader('Referrer-Policy', 'no-referrer')
    try {
      checkHost(request, init.allowedHosts)
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.setHeader('Allow', 'GET, HEAD')
        throw interfaceError('METHOD_NOT_ALLOWED', {
          method: request.method ?? '',
          path: 'the gateway',
          allowed: 'GET, HEAD',
        })
      }
      const asked = readRequest(request.url ?? '/', request.headers.accept)
      const root = parseCid(asked.cid)
      const blocks = await openBlocks(content, root, signal, init.blockMs)
      await answer({ request, response, signal, asked, content, blocks }, root)
      if (!response.writableEnded) response.end()
    } catch (error) {
      fail(request, response, signal, id, error)
    }
  }

  function fail(
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
    id: string,
    error: unknown,
  ): void {
    if (response.destroyed || (signal.aborted && request.destroyed)) return
    const shown = signal.aborted ? interfaceError('NODE_STOPPING') : error
    const { http } = meaningOf(codeOf(shown))
    if (http === 500)
      log.error('a request failed', { request: id, code: codeOf(error), error: messageOf(error) })
    if (response.headersSent) return void response.destroy()
    for (const name of response.getHeaderNames()) {
      if (/^(etag|cache-control|content-(?!range)|accept-ranges|x-ipfs)/.test(name))
        response.removeHeader(name)
    }
    if (!request.complete) response.setHeader('Connection', 'close')
    response.setHeader('Vary', 'Accept')
    const body = errorBody(shown, id)
    if (asksJson(request)) sendJson(response, http, { error: body })
    else {
      const text = Buffer.from(`${body.message}\n`)
      response.writeHead(http, {
        'Content-Type': 'text/plain; charset=utf-8',
        'Content-Length': text.length,
        'Cache-Control': 'no-store',
      })
      response.end(request.method === 'HEAD' ? undefined : text)
    }
    discardBody(request)
  }

  return createListener(
    { logger: log, serve },
    { ...init, purpose: { what: 'IPFS gateway', flag: '--gateway-port' } },
  )
}

/** Whether a program reads the errors: browsers do not name JSON. */
function asksJson({ headers }: IncomingMessage): boolean {
  return /(^|,)\s*application\/json\b/i.test(headers.accept ?? '')
}

async function answer(visit: Visit, root: CID): Promise<void> {
  const { asked, blocks, response } = visit
  const { cid, passed } = await followPath(blocks, root, asked.segments)
  response.setHeader('X-Ipfs-Path', encodeURI(decodePath(asked)))
  response.setHeader('X-Ipfs-Roots', [...passed.map((block) => block.cid), cid].join(','))
  response.setHeader('Cache-Control', IMMUTABLE)
  response.setHeader('Vary', 'Accept')
  if (asked.format === 'car') return sendCar(visit, cid, passed)
  if (asked.format === 'raw') {
    if (isFresh(visit, `"${cid}.raw"`)) return
    const name = asked.filename ?? `${cid}.bin`
    response.setHeader('Content-Type', 'application/vnd.ipld.raw')
    response.setHeader('Content-Disposition', contentDisposition('attachment', name))
    return sendBlockBytes(visit, await blocks.get(cid))
  }
  if (isFresh(visit, `"${cid}"`)) return
  response.setHeader('Content-Security-Policy', INERT_CONTENT_POLICY)
  const entity = await entityOf(blocks, cid)
  if (entity.kind === 'file') return sendFile(visit, entity)
  if (entity.kind === 'folder') return sendFolder(visit, entity)
  return sendPlainData(visit, entity)
}

async function sendCar(
  visit: Visit,
  cid: CID,
  passed: Parameters<typeof carOf>[1]['passed'],
): Promise<void> {
  const { asked, blocks, response, request, signal } = visit
  const { scope, entityBytes } = asked
  const etag = `W/"${cid}.car.${asked.segments.length}.${scope}.${entityBytes ?? ''}"`
  if (isFresh(visit, etag)) return
  const entity = await entityOf(blocks, cid)
  const range = entity.kind === 'file' ? entityRange(entityBytes, entity.size) : undefined
  response.setHeader('Content-Type', CAR_TYPE)
  response.setHeader('Accept-Ranges', 'none')
  const name = asked.filename ?? `${cid}.car`
  response.setHeader('Content-Disposition', contentDisposition('attachment', name))
  if (request.method === 'HEAD') return
  await sendAll(response, carOf(blocks, { passed, entity, scope, range }), signal)
}

/** Sets the ETag; answers 304 when the client has it already. */
function isFresh({ request, response }: Visit, etag: string): boolean {
  response.setHeader('ETag', etag)
  if (!matchesEtag(request.headers['if-none-match'], etag)) return false
  response.writeHead(304).end()
  return true
}

function decodePath({ cid, segments }: GatewayRequest): string {
  return ['', 'ipfs', cid, ...segments].join('/')
}
