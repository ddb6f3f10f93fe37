/** What a request to the gateway asks for. */
import { interfaceError } from '../errors.ts'
import { decodeSegment } from '../http/router.ts'
import { splitUrl } from '../http/server.ts'
import type { DagScope } from './car.ts'

export interface GatewayRequest {
  readonly cid: string
  readonly segments: readonly string[]
  /** The path ended with a slash. */
  readonly slash: boolean
  /** `plain`: the file or folder itself. */
  readonly format: 'plain' | 'raw' | 'car'
  readonly filename: string | undefined
  readonly download: boolean
  readonly scope: DagScope
  readonly entityBytes: string | undefined
  readonly path: string
}

const RAW_TYPE = 'application/vnd.ipld.raw'
const CAR = 'application/vnd.ipld.car'
const SCOPES: readonly string[] = ['block', 'entity', 'all'] satisfies DagScope[]

/** @throws ROUTE_NOT_FOUND, PATH_INVALID, FORMAT_UNKNOWN, BAD_REQUEST */
export function readRequest(target: string, accept: string | undefined): GatewayRequest {
  const { pathname, query } = splitUrl(target)
  const [, space, cid = '', ...rest] = pathname.split('/')
  if (space !== 'ipfs' || cid === '') {
    throw interfaceError('PATH_INVALID', {
      path: pathname.slice(0, 120),
      why: 'this gateway serves /ipfs/<cid>',
    })
  }
  const scope = query.get('dag-scope') ?? 'all'
  if (!SCOPES.includes(scope)) {
    throw interfaceError('BAD_REQUEST', {
      where: 'dag-scope',
      found: scope.slice(0, 60),
      allowed: SCOPES.join(', '),
    })
  }
  return {
    cid,
    segments: rest.filter((part) => part !== '').map(decodeSegment),
    slash: pathname.endsWith('/'),
    format: formatOf(query.get('format'), accept),
    filename: query.get('filename') ?? undefined,
    download: query.get('download') === 'true',
    scope: scope as DagScope,
    entityBytes: query.get('entity-bytes') ?? undefined,
    path: pathname,
  }
}

/** The query decides over the header. */
function formatOf(format: string | null, accept = ''): GatewayRequest['format'] {
  if (format === 'raw' || format === 'car') return format
  if (format !== null) throw interfaceError('FORMAT_UNKNOWN', { format: format.slice(0, 60) })
  for (const entry of accept.split(',')) {
    const [type = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase())
    if (type === RAW_TYPE) return 'raw'
    if (type !== CAR) continue
    const version = parameters.find((parameter) => parameter.startsWith('version='))
    if (version !== undefined && version !== 'version=1') {
      throw interfaceError('FORMAT_UNKNOWN', { format: `${CAR}; ${version}`.slice(0, 60) })
    }
    return 'car'
  }
  return 'plain'
}

/**
 * The bytes that `entity-bytes=from:to` names in a file of `size`: both inclusive, negative ones count from
 * the end, `*` is the end. @throws BAD_REQUEST
 */
export function entityRange(
  text: string | undefined,
  size: number,
): { start: number; end: number } | undefined {
  if (text === undefined) return undefined
  const match = /^(-?\d{1,16}):(\*|-?\d{1,16})$/.exec(text)
  if (match === null) {
    throw interfaceError('BAD_REQUEST', {
      where: 'entity-bytes',
      found: text.slice(0, 60),
      allowed: 'from:to',
    })
  }
  const at = (value: number): number => Math.max(0, value < 0 ? size + value : value)
  const start = Math.min(size, at(Number(match[1])))
  const end = match[2] === '*' ? size : Math.min(size, at(Number(match[2])) + 1)
  return { start, end: Math.max(start, end) }
}
