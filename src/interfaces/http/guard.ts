/** Who may speak to this node over HTTP. */
import { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { interfaceError } from '../errors.ts'

/**
 * Whether a request carries `token`, in `Authorization: Bearer` or, as a forerunner did, in `X-User-Token`; the time it
 * takes does not depend on where they differ.
 */
export function carriesToken(request: IncomingMessage, token: string): boolean {
  const { authorization, 'x-user-token': other } = request.headers
  const match = /^Bearer ([^\s]+)$/i.exec(authorization ?? '')
  const said = authorization === undefined && typeof other === 'string' ? other : match?.[1]
  const given = Buffer.from(said ?? '')
  const wanted = Buffer.from(token)
  const same = given.length === wanted.length ? given : Buffer.alloc(wanted.length)
  return timingSafeEqual(same, wanted) && given.length === wanted.length
}

/** The host of a Host header without its port, lower case; undefined when it is malformed. */
export function hostName(header: string | undefined): string | undefined {
  const match = /^(\[[\da-f:.]+\]|[^:[\]/?#@\s]+)(?::\d{1,5})?$/i.exec(header ?? '')
  return match?.[1]?.toLowerCase().replace(/^\[|\]$/g, '')
}

/**
 * Refuses a Host header that names neither an address, nor localhost, nor one of `allowed`: a web page whose
 * name was made to point at this machine (DNS rebinding) carries its own name there.
 *
 * @throws HOST_REFUSED
 */
export function checkHost(request: IncomingMessage, allowed: readonly string[]): void {
  const host = hostName(request.headers.host)
  const fine =
    host !== undefined && (isIP(host) !== 0 || host === 'localhost' || allowed.includes(host))
  if (!fine) throw interfaceError('HOST_REFUSED', { host: (host ?? '(none)').slice(0, 255) })
}

/** Refuses requests that a web page of another origin makes. @throws ORIGIN_REFUSED */
export function checkOrigin(request: IncomingMessage): void {
  const { origin, host } = request.headers
  if (
    origin === undefined ||
    (host !== undefined &&
      /^https?:$/.test(origin.slice(0, origin.indexOf('//'))) &&
      origin.endsWith(`//${host}`))
  ) {
    return
  }
  throw interfaceError('ORIGIN_REFUSED')
}

/** Whether `host`, as configured, can be reached from this machine only. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}
