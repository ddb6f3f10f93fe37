/**
 * Backups on IPFS, kept by any service that speaks the Pinning Service API 1.0
 * (https://ipfs.github.io/pinning-services-api-spec/): the content is provided from this computer until the service has
 * fetched it. A pin's name is the object's; its size and SHA-256 are the pin's `meta`. Reads go through a gateway.
 */
import { type Clock, sleep } from '../../../common/clock.ts'
import type { Destination, StoredObject } from '../destination.ts'
import { backupError } from '../errors.ts'
import { objectName } from '../object-name.ts'
import { answerError, jsonOf, MAX_OBJECT_BYTES, malformed, sizeOf, succeeded } from './answers.ts'
import type { StoredCid } from './cids.ts'
import { digest, mustEqual, mustFit } from './digests.ts'
import { at, createHttp, type HttpAnswer, type HttpRequest } from './http.ts'
import { APP, type Pin, readPin } from './pinning-status.ts'
import { inOrder } from './s3-list.ts'

/** What gives content to the service's own IPFS nodes. */
export interface IpfsContent {
  /** Makes bytes available under the CID that it answers with, at the addresses (multiaddrs) that it answers with. */
  provide(
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<{
    readonly cid: string
    readonly origins: readonly string[]
    release(): Promise<void>
  }>
  /** Connects to nodes that are to fetch the content, for where nobody can connect to this computer. */
  connect(addresses: readonly string[], signal: AbortSignal): Promise<void>
}

export interface PinningServiceInit {
  /** For people and logs: `pinning api.example`. */
  readonly name: string
  readonly endpoint: URL
  readonly token: string
  /** Where content is read: `https://ipfs.io`, or the service's own. */
  readonly gateway: URL
  /** Keeps the CID of an object in other places too. The object counts as stored only when this resolves. */
  readonly onStored?: (stored: StoredCid, signal: AbortSignal) => Promise<void>
}

/** Pins of a page: the most that the API allows. */
const PAGE = 1000
/** Milliseconds between questions whether a pin is done: at first, doubled up to the second. */
const FIRST_POLL_MS = 250
const MAX_POLL_MS = 15_000

export function createPinningServiceDestination(
  components: { readonly clock: Clock; readonly content: IpfsContent },
  init: PinningServiceInit,
): Destination {
  const { clock, content } = components
  const { name: destination, endpoint, gateway } = init
  const http = createHttp(destination)

  const failed = (answer: HttpAnswer, object?: string, size?: number): Error =>
    answerError(answer, {
      destination,
      now: clock.now(),
      ...(object === undefined ? {} : { object }),
      ...(size === undefined ? {} : { size }),
    })
  const ask = (request: HttpRequest): Promise<HttpAnswer> =>
    http.send({
      ...request,
      headers: { ...request.headers, authorization: `Bearer ${init.token}` },
    })

  /** The program's pins, the newest first: of one object or all. */
  const pins = async (
    wanted: { readonly object?: string; readonly status: string },
    signal: AbortSignal,
  ): Promise<Pin[]> => {
    const found = new Map<string, Pin>()
    const seen = new Set<string>()
    let before: string | undefined
    for (;;) {
      const url = at(endpoint, ['pins'], {
        status: wanted.status,
        limit: String(PAGE),
        name: wanted.object,
        match: wanted.object === undefined ? undefined : 'exact',
        meta: JSON.stringify({ app: APP }),
        before,
      })
      const answer = await ask({ method: 'GET', url, signal })
      if (!succeeded(answer)) throw failed(answer)
      const { results, count } = jsonOf(answer, destination)
      if (!Array.isArray(results)) throw malformed(destination, 'no list of pins')
      const known = seen.size
      let oldest = Number.POSITIVE_INFINITY
      for (const result of results) {
        const pin = readPin(result, destination)
        oldest = Math.min(oldest, pin.created)
        seen.add(pin.requestId)
        const other = wanted.object !== undefined && pin.object !== wanted.object
        if (pin.object !== undefined && !other) found.set(pin.requestId, pin)
      }
      if (results.length === 0 || sizeOf(count, destination) <= results.length) break
      // A page may end in the middle of a moment: that moment is asked for again, unless it brought nothing new.
      const next = new Date(oldest + (seen.size > known ? 1 : 0)).toISOString()
      if (next === before) break
      before = next
    }
    return [...found.values()].sort((a, b) => b.created - a.created)
  }

  const cancel = async (requestId: string, signal: AbortSignal): Promise<void> => {
    const answer = await ask({ method: 'DELETE', url: at(endpoint, ['pins', requestId]), signal })
    if (!succeeded(answer) && answer.status !== 404) throw failed(answer)
  }

  /** Waits until the service has the content. */
  const pinned = async (first: Pin, signal: AbortSignal): Promise<void> => {
    let pin = first
    for (
      let wait = FIRST_POLL_MS;
      pin.status !== 'pinned';
      wait = Math.min(wait * 2, MAX_POLL_MS)
    ) {
      if (pin.status === 'failed') {
        await cancel(pin.requestId, signal)
        throw malformed(destination, 'it could not fetch the content')
      }
      await sleep(clock, wait, signal)
      const url = at(endpoint, ['pins', pin.requestId])
      const answer = await ask({ method: 'GET', url, signal })
      if (!succeeded(answer)) throw failed(answer)
      pin = readPin(jsonOf(answer, destination), destination)
    }
  }

  const everyStatus = 'queued,pinning,pinned,failed'

  return {
    kind: 'ipfs',
    name: destination,
    put: async (name, bytes, { signal, onPlace }) => {
      objectName(name)
      mustFit(bytes, destination, name)
      const before = await pins({ object: name, status: everyStatus }, signal)
      const provided = await content.provide(bytes, signal)
      const { cid, origins } = provided
      try {
        const sha256 = digest(bytes, 'sha256', 'hex')
        const meta = { app: APP, object: name, size: String(bytes.length), sha256 }
        const answer = await ask({
          method: 'POST',
          url: at(endpoint, ['pins']),
          headers: { 'content-type': 'application/json' },
          body: Buffer.from(JSON.stringify({ cid, name, origins, meta })),
          signal,
        })
        if (!succeeded(answer)) throw failed(answer, undefined, bytes.length)
        const pin = readPin(jsonOf(answer, destination), destination)
        if (pin.cid !== cid) throw malformed(destination, 'it pins something else')
        if (pin.status !== 'pinned') await content.connect(pin.delegates, signal)
        await pinned(pin, signal)
        const link = at(gateway, ['ipfs', cid]).href
        onPlace?.(cid, link)
        await init.onStored?.({ name, cid, link, size: bytes.length, stored: clock.now() }, signal)
        for (const old of before) {
          if (old.requestId !== pin.requestId) await cancel(old.requestId, signal)
        }
      } finally {
        await provided.release()
      }
    },
    get: async (name, signal, maxBytes = MAX_OBJECT_BYTES) => {
      objectName(name)
      const [newest] = await pins({ object: name, status: 'pinned' }, signal)
      if (newest === undefined) throw backupError('OBJECT_NOT_FOUND', { destination, name })
      const url = at(gateway, ['ipfs', newest.cid])
      const answer = await http.send({ method: 'GET', url, signal, maxBytes })
      // The pin is there: a gateway that does not find its content is one that does not reach it now.
      if (!succeeded(answer))
        throw failed(answer.status === 404 ? { ...answer, status: 504 } : answer)
      if (newest.sha256 !== undefined) {
        mustEqual(digest(answer.body, 'sha256', 'hex'), newest.sha256, { destination, name })
      }
      return answer.body
    },
    list: async (prefix, signal) => {
      const found = new Map<string, StoredObject>()
      for (const { object, size, created } of await pins({ status: 'pinned' }, signal)) {
        if (object === undefined || !object.startsWith(prefix) || found.has(object)) continue
        found.set(object, { name: object, size, stored: created })
      }
      return inOrder([...found.values()])
    },
    remove: async (name, signal) => {
      objectName(name)
      for (const { requestId } of await pins({ object: name, status: everyStatus }, signal)) {
        await cancel(requestId, signal)
      }
    },
    close: async () => http.close(),
  }
}
