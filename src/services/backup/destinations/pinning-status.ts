/** What a pinning service says of a pin (`PinStatus` of the Pinning Service API 1.0). */
import { isObjectName } from '../object-name.ts'
import { isObject, malformed, sizeOf, timeOf } from './answers.ts'

/** What marks the pins of this program, in their `meta`. */
export const APP = 'cairn'
/** Addresses of the service's nodes that are looked at: more is no answer but an attack. */
const MAX_DELEGATES = 20
const STATUSES = ['queued', 'pinning', 'pinned', 'failed'] as const

export interface Pin {
  readonly requestId: string
  readonly status: (typeof STATUSES)[number]
  readonly cid: string
  /** Milliseconds UTC. */
  readonly created: number
  /** The object's name; undefined: a pin of another program. */
  readonly object: string | undefined
  readonly size: number
  readonly sha256: string | undefined
  /** Multiaddrs of nodes that are going to fetch the content. */
  readonly delegates: readonly string[]
}

/** @throws DESTINATION_FAILED when it is none */
export function readPin(value: unknown, destination: string): Pin {
  const pin = isObject(value) ? value.pin : undefined
  if (!isObject(value) || !isObject(pin)) throw malformed(destination, 'no pin')
  const status = STATUSES.find((each) => each === value.status)
  const { requestid: requestId, delegates } = value
  const { cid } = pin
  if (typeof requestId !== 'string' || typeof cid !== 'string' || status === undefined) {
    throw malformed(destination, 'an incomplete pin')
  }
  const meta = isObject(pin.meta) && pin.meta.app === APP ? pin.meta : {}
  const { object, size, sha256 } = meta
  const named = typeof object === 'string' && isObjectName(object)
  return {
    requestId,
    status,
    cid,
    created: timeOf(value.created, destination),
    object: named ? object : undefined,
    size: named ? sizeOf(size, destination) : 0,
    sha256: typeof sha256 === 'string' ? sha256 : undefined,
    delegates: (Array.isArray(delegates) ? delegates : [])
      .filter((each): each is string => typeof each === 'string')
      .slice(0, MAX_DELEGATES),
  }
}
