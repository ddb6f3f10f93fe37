/**
 * What a directory holds while it joins a network, and what it needs once it has: the file with the network's
 * parameters comes last.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { decodeRecord } from '../chain/codec.ts'
import type { DeviceId } from '../chain/ids.ts'
import { type NetworkParams, networkIdOf } from '../chain/params.ts'
import type { SignedRecord } from '../chain/record.ts'
import { equalBytes, fromHex, toHex, utf8 } from '../common/bytes.ts'
import type { Clock } from '../common/clock.ts'
import { messageOf } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import { deviceOf, parseAddress, placeOf } from '../network/address.ts'
import type { RememberedPeer } from '../network/peers.ts'
import { writeFileAtomic } from '../storage/atomic-file.ts'
import type { DataDirectory } from '../storage/data-directory.ts'
import { openJournal } from '../storage/journal.ts'
import { nodeError } from './errors.ts'
import { JOINING_FILE, readNetwork, writeNetwork } from './network-choice.ts'
import { createPeerMemory } from './peer-memory.ts'

/** What is kept from one try to the next, under the key that the joiner comes with. */
export interface JoiningNotes {
  /** The signed admission, which may have been handed in already; and what it makes this device. */
  readonly kept: Kept | undefined
  /** Whether all is done but to take the notes away: only the last step failed. */
  readonly done: boolean
  /** On the disk when this returns. */
  keep(kept: Kept): void
  /** It is no good any more: a new one has to be signed. */
  forget(): void
  end(): void
}

export interface Kept {
  readonly record: SignedRecord
  readonly role: Role | null
}

type Role = 'admin' | 'member' | 'backup'

/**
 * @param key - public key of the invite, or of the recovery kit
 * @throws `JOIN_DIRECTORY` for a directory that belongs to a network, `JOIN_UNFINISHED` for one in which an
 *   admission with another key was signed
 */
export function openNotes(directory: DataDirectory, key: Uint8Array): JoiningNotes {
  const path = join(directory.path, JOINING_FILE)
  const found = read(path)
  const isOwn = found?.key === toHex(key)
  const params = readNetwork(directory.path)
  if (params !== undefined && !isOwn) {
    const details = { path: directory.path, network: networkIdOf(params) }
    throw nodeError('JOIN_DIRECTORY', details)
  }
  if (found?.record !== undefined && !isOwn) {
    throw nodeError('JOIN_UNFINISHED', { path: directory.path })
  }
  let kept: Kept | undefined
  if (isOwn && found.record !== undefined) {
    kept = { record: decodeRecord(fromHex(found.record)), role: found.role ?? null }
  }
  const write = (next: Kept | undefined): void => {
    kept = next
    const about = next === undefined ? {} : { record: toHex(next.record.bytes), role: next.role }
    const text = JSON.stringify({ key: toHex(key), ...about })
    writeFileAtomic(path, utf8(`${text}\n`), 0o600)
  }
  if (!isOwn) write(undefined)
  return {
    get kept() {
      return kept
    },
    done: params !== undefined && kept !== undefined,
    keep: write,
    forget: () => write(undefined),
    end: () => rmSync(path, { force: true }),
  }
}

interface Content {
  readonly key?: string
  readonly record?: string
  readonly role?: Role | null
}

function read(path: string): Content | undefined {
  if (!existsSync(path)) return undefined
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Content
  } catch (error) {
    throw nodeError('NETWORK_FILE', { path, why: messageOf(error) }, error)
  }
}

/** Writes all that a node needs to start, what makes the directory belong to the network last. */
export async function settle(
  directory: DataDirectory,
  found: {
    readonly record: SignedRecord
    readonly parameters: NetworkParams
    /** Who took this device in, and where that was. */
    readonly member: { readonly device: DeviceId; readonly place: string }
    /** More addresses of members. */
    readonly addresses: readonly string[]
  },
  { logger, clock }: { logger: Logger; clock: Clock },
): Promise<void> {
  const { record, member } = found
  const journal = openJournal(directory.journal, { logger })
  try {
    const isThere = journal.read().some((entry) => equalBytes(entry, record.bytes))
    if (!isThere) journal.append(record.bytes)
  } finally {
    journal.close()
  }
  const addresses = [`${member.place}/p2p/${member.device}`, ...found.addresses]
  await rememberPeers(directory, addresses, { logger, clock })
  writeNetwork(directory.path, found.parameters)
}

/** Writes down where devices of the network are: multiaddrs with their ids; what is none is left out. */
export async function rememberPeers(
  directory: Pick<DataDirectory, 'path'>,
  multiaddrs: readonly string[],
  { logger, clock }: { logger: Logger; clock: Clock },
): Promise<void> {
  const peers = new Map<DeviceId, string[]>()
  for (const text of multiaddrs) {
    try {
      const address = parseAddress(text)
      const device = deviceOf(address)
      if (device === undefined) continue
      const places = peers.get(device) ?? []
      if (!places.includes(placeOf(address))) peers.set(device, [...places, placeOf(address)])
    } catch {
      // A member may name what this device cannot dial.
    }
  }
  const seen = clock.now()
  const remembered: RememberedPeer[] = [...peers].map(([device, places]) => ({
    device,
    addresses: places,
    seen,
  }))
  await createPeerMemory(join(directory.path, 'peers.json'), logger).save(remembered)
}
