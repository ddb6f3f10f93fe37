/**
 * Backups on IPFS, uploaded to Pinata and pinned there (https://docs.pinata.cloud: pinFileToIPFS, pinList, unpin).
 *
 * Pinata has content, not names: an object's name, size and SHA-256 are key-values of its pin, beside the name
 * `blockchain_backup_<time>` that people see in Pinata's list. So the CIDs are kept there too, and can be asked for
 * with the key alone. Reads go through a gateway, and are checked against the SHA-256.
 */
import type { Clock } from '../../../common/clock.ts'
import type { Destination, StoredObject } from '../destination.ts'
import { backupError } from '../errors.ts'
import { isObjectName, objectName } from '../object-name.ts'
import {
  answerError,
  isObject,
  jsonOf,
  MAX_OBJECT_BYTES,
  malformed,
  mustEnd,
  sizeOf,
  succeeded,
  timeOf,
  wordOf,
} from './answers.ts'
import type { StoredCid } from './cids.ts'
import { digest, mustEqual, mustFit } from './digests.ts'
import { formData } from './form-data.ts'
import { at, createHttp, type HttpAnswer, type HttpRequest } from './http.ts'
import { inOrder } from './s3-list.ts'

export type PinataKey = { readonly jwt: string } | { readonly key: string; readonly secret: string }

export interface PinataInit {
  /** For people and logs: `pinata`. */
  readonly name: string
  readonly key: PinataKey
  /** `https://api.pinata.cloud` */
  readonly api: URL
  /** Where content is read: `https://gateway.pinata.cloud`. */
  readonly gateway: URL
  /**
   * Keeps the CID of an object in other places too. The object counts as stored only when this resolves.
   */
  readonly onStored?: (stored: StoredCid, signal: AbortSignal) => Promise<void>
}

/** Pins of a page: the most that Pinata gives. */
const PAGE = 1000
/** What marks the pins of this program. */
const APP = 'cairn'
/** What Pinata says of a pin that is gone already. */
const NOT_PINNED = 'CURRENT_USER_HAS_NOT_PINNED_CID'
const CID = /^[A-Za-z0-9]{46,100}$/

interface Pin {
  readonly object: string
  readonly cid: string
  /** Of the file in the directory that the CID names, when it names one. */
  readonly path: string | undefined
  readonly size: number
  readonly sha256: string
  readonly stored: number
}

export function createPinataDestination(
  components: { readonly clock: Pick<Clock, 'now'> },
  init: PinataInit,
): Destination {
  const { clock } = components
  const { name: destination, api, gateway, key } = init
  const http = createHttp(destination)
  const credentials: Readonly<Record<string, string>> =
    'jwt' in key
      ? { authorization: `Bearer ${key.jwt}` }
      : { pinata_api_key: key.key, pinata_secret_api_key: key.secret }

  const failed = (answer: HttpAnswer, object?: string, size?: number): Error =>
    answerError(answer, {
      destination,
      now: clock.now(),
      ...(object === undefined ? {} : { object }),
      ...(size === undefined ? {} : { size }),
    })
  const ask = (request: HttpRequest): Promise<HttpAnswer> =>
    http.send({ ...request, headers: { ...request.headers, ...credentials } })

  /** Pins of this program, the newest first: of one object, or all. */
  const pins = async (object: string | undefined, signal: AbortSignal): Promise<Pin[]> => {
    const wanted = {
      app: { value: APP, op: 'eq' },
      ...(object === undefined ? {} : { object: { value: object, op: 'eq' } }),
    }
    const found: Pin[] = []
    for (let offset = 0; ; offset += PAGE) {
      const url = at(api, ['data', 'pinList'], {
        status: 'pinned',
        includeCount: 'false',
        pageLimit: String(PAGE),
        pageOffset: String(offset),
        'metadata[keyvalues]': JSON.stringify(wanted),
      })
      const answer = await ask({ method: 'GET', url, signal })
      if (!succeeded(answer)) throw failed(answer)
      const rows = jsonOf(answer, destination).rows
      if (!Array.isArray(rows)) throw malformed(destination, 'no list of pins')
      for (const row of rows) {
        const pin = readPin(row, destination)
        if (pin !== undefined && (object === undefined || pin.object === object)) found.push(pin)
      }
      mustEnd(found.length, destination)
      if (rows.length < PAGE) break
    }
    return found.sort((a, b) => b.stored - a.stored || (a.cid < b.cid ? -1 : 1))
  }

  const unpin = async (cid: string, signal: AbortSignal): Promise<void> => {
    const url = at(api, ['pinning', 'unpin', cid])
    const answer = await ask({ method: 'DELETE', url, signal })
    if (succeeded(answer) || answer.status === 404 || wordOf(answer.body) === NOT_PINNED) return
    throw failed(answer)
  }

  /** @param path - file name in a directory that is made around the content */
  const upload = async (
    name: string,
    bytes: Uint8Array,
    path: string | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly cid: string; readonly duplicate: boolean }> => {
    const shown = backupName(clock.now())
    const keyvalues = {
      app: APP,
      object: name,
      size: String(bytes.length),
      sha256: digest(bytes, 'sha256', 'hex'),
      ...(path === undefined ? {} : { path }),
    }
    const options = { cidVersion: 1, ...(path === undefined ? {} : { wrapWithDirectory: true }) }
    const form = formData([
      { name: 'file', filename: path ?? shown, bytes },
      { name: 'pinataMetadata', bytes: Buffer.from(JSON.stringify({ name: shown, keyvalues })) },
      { name: 'pinataOptions', bytes: Buffer.from(JSON.stringify(options)) },
    ])
    const answer = await ask({
      method: 'POST',
      url: at(api, ['pinning', 'pinFileToIPFS']),
      headers: { 'content-type': form.contentType },
      body: form.body,
      signal,
    })
    if (!succeeded(answer)) throw failed(answer, undefined, bytes.length)
    const { IpfsHash: cid, isDuplicate } = jsonOf(answer, destination)
    if (typeof cid !== 'string' || !CID.test(cid)) throw malformed(destination, 'no CID')
    return { cid, duplicate: isDuplicate === true }
  }

  return {
    kind: 'ipfs',
    name: destination,
    put: async (name, bytes, { signal, onPlace }) => {
      objectName(name)
      mustFit(bytes, destination, name)
      const before = await pins(name, signal)
      let path: string | undefined
      let { cid, duplicate } = await upload(name, bytes, path, signal)
      if (duplicate && !before.some((pin) => pin.cid === cid)) {
        // The same bytes are pinned under another name, and content has one pin: in a directory they are another content.
        path = name.replaceAll('/', '_')
        ;({ cid, duplicate } = await upload(name, bytes, path, signal))
      }
      const link = at(gateway, ['ipfs', cid, ...(path === undefined ? [] : [path])]).href
      onPlace?.(path === undefined ? cid : `${cid}/${path}`, link)
      await init.onStored?.({ name, cid, link, size: bytes.length, stored: clock.now() }, signal)
      for (const old of new Set(before.map((pin) => pin.cid))) {
        if (old !== cid) await unpin(old, signal)
      }
    },
    get: async (name, signal, maxBytes = MAX_OBJECT_BYTES) => {
      objectName(name)
      const [newest] = await pins(name, signal)
      if (newest === undefined) throw backupError('OBJECT_NOT_FOUND', { destination, name })
      const path = newest.path === undefined ? [] : [newest.path]
      const url = at(gateway, ['ipfs', newest.cid, ...path])
      const answer = await http.send({ method: 'GET', url, signal, maxBytes })
      // The pin is there: a gateway that does not find its content is one that does not reach it now.
      if (!succeeded(answer))
        throw failed(answer.status === 404 ? { ...answer, status: 504 } : answer)
      mustEqual(digest(answer.body, 'sha256', 'hex'), newest.sha256, { destination, name })
      return answer.body
    },
    list: async (prefix, signal) => {
      const found = new Map<string, StoredObject>()
      for (const { object, size, stored } of await pins(undefined, signal)) {
        if (!object.startsWith(prefix) || found.has(object)) continue
        found.set(object, { name: object, size, stored })
      }
      return inOrder([...found.values()])
    },
    remove: async (name, signal) => {
      objectName(name)
      for (const { cid } of await pins(name, signal)) await unpin(cid, signal)
    },
    close: async () => http.close(),
  }
}

/** A row of Pinata's list, when it is an object of a backup. */
function readPin(row: unknown, destination: string): Pin | undefined {
  if (!isObject(row) || !isObject(row.metadata)) return undefined
  const values = row.metadata.keyvalues
  const cid = row.ipfs_pin_hash
  if (!isObject(values) || values.app !== APP) return undefined
  const { object, sha256, path, size } = values
  if (typeof object !== 'string' || !isObjectName(object)) return undefined
  if (typeof cid !== 'string' || !CID.test(cid) || typeof sha256 !== 'string') {
    throw malformed(destination, 'a pin without a CID')
  }
  return {
    object,
    cid,
    sha256,
    path: typeof path === 'string' ? path : undefined,
    size: sizeOf(size, destination),
    stored: timeOf(row.date_pinned, destination),
  }
}

/** `blockchain_backup_20260114_153045`, in UTC. */
export function backupName(now: number): string {
  const [day, time] = new Date(now).toISOString().replace(/[-:]/g, '').split('T')
  return `blockchain_backup_${day}_${time?.slice(0, 6)}`
}
