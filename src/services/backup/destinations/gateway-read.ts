/** Content of IPFS from gateways: nobody's account is needed, and nothing of what they give is believed. */
import type { Clock } from '../../../common/clock.ts'
import { codeOf } from '../../../common/errors.ts'
import { backupError } from '../errors.ts'
import { isPlace } from '../ipfs-place.ts'
import { answerError, MAX_OBJECT_BYTES, succeeded } from './answers.ts'
import { at, type Http, type HttpAnswer } from './http.ts'

/** Milliseconds that a gateway has for an object, and bytes in each further second: then the next one is asked. */
const GATEWAY_MS = 10_000
const BYTES_PER_SECOND = 131_072
/** Redirects of one request: from the path to a host of its own for each CID, and one for luck. */
const MAX_REDIRECTS = 2
const REDIRECTS = new Set([301, 302, 303, 307, 308])

/** What is asked for. */
export interface Wanted {
  /** A CID, or `CID/file`. */
  readonly place: string
  /** What it is called in errors. */
  readonly name: string
  /** Bytes that it may have at most. */
  readonly maxBytes: number
  /** Whether these are its bytes. */
  readonly isIt: (bytes: Uint8Array) => boolean
}

export interface GatewayReader {
  /**
   * The bytes from the first gateway that has them; it is the first to be asked the next time.
   *
   * @throws of the last gateway: DESTINATION_UNREACHABLE, DESTINATION_REFUSED, DESTINATION_BUSY, DESTINATION_FAILED
   *   (larger than it may be), DESTINATION_DIFFERS (other bytes), DESTINATION_SLOW, OBJECT_NOT_FOUND
   */
  read(wanted: Wanted, signal: AbortSignal): Promise<Uint8Array>
}

/** @param gateways - `https://gateway.pinata.cloud`, or any others; at least one */
export function createGatewayReader(
  components: { readonly clock: Clock; readonly http: Http },
  gateways: readonly URL[],
): GatewayReader {
  const { clock, http } = components
  let order = [...gateways]

  const readFrom = async (gateway: URL, wanted: Wanted, signal: AbortSignal) => {
    const destination = gateway.host
    const { place, name, maxBytes } = wanted
    if (!isPlace(place)) throw backupError('OBJECT_NOT_FOUND', { destination, name })
    const url = at(gateway, ['ipfs', ...place.split('/')])
    const ms = GATEWAY_MS + Math.ceil((maxBytes / BYTES_PER_SECOND) * 1000)
    const answer = await within(
      (own) => followed(http, url, Math.min(maxBytes, MAX_OBJECT_BYTES), own),
      { clock, ms, destination, signal },
    )
    if (!succeeded(answer)) {
      throw answerError(answer, { destination, now: clock.now(), object: name })
    }
    if (wanted.isIt(answer.body)) return answer.body
    throw backupError('DESTINATION_DIFFERS', { destination, name })
  }

  return {
    read: async (wanted, signal) => {
      let last: unknown
      for (const gateway of [...order]) {
        try {
          const bytes = await readFrom(gateway, wanted, signal)
          order = [gateway, ...order.filter((each) => each !== gateway)]
          return bytes
        } catch (error) {
          signal.throwIfAborted()
          // That one does not have it says less than what is wrong with another.
          if (last === undefined || codeOf(error) !== 'OBJECT_NOT_FOUND') last = error
        }
      }
      throw last
    },
  }
}

/** A request without credentials, to where it is sent on to: HTTPS, or this computer as before. */
async function followed(
  http: Http,
  first: URL,
  maxBytes: number,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  let url = first
  for (let redirects = 0; ; redirects++) {
    const answer = await http.send({ method: 'GET', url, signal, maxBytes })
    const { location } = answer.headers
    if (!REDIRECTS.has(answer.status) || location === undefined || redirects >= MAX_REDIRECTS) {
      return answer
    }
    const next = URL.parse(location, url)
    const isAllowed = next?.protocol === 'https:' || next?.origin === first.origin
    if (next === null || !isAllowed) return answer
    url = next
  }
}

/** Ends with DESTINATION_SLOW when it takes longer. */
async function within<T>(
  work: (signal: AbortSignal) => Promise<T>,
  init: {
    readonly clock: Clock
    readonly ms: number
    readonly destination: string
    readonly signal: AbortSignal
  },
): Promise<T> {
  const { clock, ms, destination, signal } = init
  const slow = new AbortController()
  const cancel = clock.after(ms, () =>
    slow.abort(backupError('DESTINATION_SLOW', { destination, seconds: Math.ceil(ms / 1000) })),
  )
  try {
    return await work(AbortSignal.any([signal, slow.signal]))
  } finally {
    cancel()
  }
}
