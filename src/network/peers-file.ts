/**
 * The peers file: how a node finds its network. JSON, all keys optional:
 *
 * - `network`: id of the network (`bafy…`)
 * - `parameters`: the network's parameters, for a node that has to make the chain's beginning by itself:
 *   `{version, founder, salt, time, difficultyFloor, admission}`, byte strings in hexadecimal
 * - `listen`: multiaddrs to listen on
 * - `bootstrap`: multiaddrs of peers, with or without `/p2p/<device>`
 * - `relays`: multiaddrs of relays; kept for later versions
 * - `lan`: look for peers on the local network
 */
import { readFile } from 'node:fs/promises'
import type { NetworkId } from '../chain/ids.ts'
import { type NetworkParams, networkIdOf, networkParamsShape } from '../chain/params.ts'
import { fromHex } from '../common/bytes.ts'
import { DAG_CBOR, isLink, link } from '../common/dag-cbor.ts'
import { messageOf } from '../common/errors.ts'
import { MIB } from '../common/limits.ts'
import { parseAddress } from './address.ts'
import { networkError } from './errors.ts'

/** As it stands in the file. */
export interface PeersFile {
  readonly network?: string
  readonly parameters?: Readonly<Record<string, string | number>>
  readonly listen: readonly string[]
  readonly bootstrap: readonly string[]
  readonly relays: readonly string[]
  readonly lan: boolean
}

/** What it says, checked. */
export interface PeersConfig {
  readonly network: NetworkId | undefined
  readonly parameters: NetworkParams | undefined
  readonly listen: readonly string[] | undefined
  readonly bootstrap: readonly string[]
  readonly relays: readonly string[]
  readonly lan: boolean
}

/** Letters of a peers file: a thousand addresses fit ten times. */
const MAX_FILE_BYTES: number = MIB
const MAX_ENTRIES = 512
const KEYS = ['network', 'parameters', 'listen', 'bootstrap', 'relays', 'lan'] as const
const SHOWN_CHARACTERS = 80

/** @throws `PEERS_FILE_READ`, `PEERS_FILE` */
export async function readPeersFile(path: string, signal?: AbortSignal): Promise<PeersConfig> {
  let content: string
  try {
    content = await readFile(path, { encoding: 'utf8', ...(signal ? { signal } : {}) })
  } catch (error) {
    throw networkError('PEERS_FILE_READ', { path, why: messageOf(error) }, error)
  }
  return parsePeersFile(content, path)
}

/** @throws `PEERS_FILE`, which names the key, what was found and what is allowed */
export function parsePeersFile(content: string, path: string): PeersConfig {
  const refuse = (key: string, found: unknown, allowed: string, cause?: unknown) => {
    const text = (typeof found === 'string' ? found : JSON.stringify(found)) ?? 'missing'
    const shown = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text
    return networkError('PEERS_FILE', { path, key, found: shown, allowed }, cause)
  }
  if (content.length > MAX_FILE_BYTES) {
    throw refuse('the file', `${content.length} letters`, `at most ${MAX_FILE_BYTES}`)
  }
  let value: unknown
  try {
    value = JSON.parse(content)
  } catch (error) {
    throw refuse('the content', `not JSON (${messageOf(error)})`, 'JSON', error)
  }
  if (!isObject(value)) throw refuse('the content', value, 'an object { … }')
  for (const key of Object.keys(value)) {
    if (!KEYS.some((known) => known === key)) {
      throw refuse(`the key "${key}"`, 'unknown', KEYS.join(', '))
    }
  }
  const addresses = (key: 'listen' | 'bootstrap' | 'relays'): string[] | undefined => {
    const list = value[key]
    if (list === undefined) return undefined
    if (!Array.isArray(list) || list.length > MAX_ENTRIES) {
      throw refuse(key, list, `a list of at most ${MAX_ENTRIES} addresses`)
    }
    return list.map((entry: unknown, index) => {
      const allowed = 'an address like /ip4/192.0.2.7/tcp/4005'
      if (typeof entry !== 'string') throw refuse(`${key}[${index}]`, entry, allowed)
      try {
        return parseAddress(entry).toString()
      } catch (error) {
        throw refuse(`${key}[${index}]`, entry, `${allowed} (${messageOf(error)})`, error)
      }
    })
  }
  const { lan, network, parameters } = value
  if (lan !== undefined && typeof lan !== 'boolean') throw refuse('lan', lan, 'true or false')
  const id = network === undefined ? undefined : readNetwork(network)
  if (network !== undefined && id === undefined) {
    throw refuse('network', network, 'the id of a network, like bafyrei…')
  }
  let params: NetworkParams | undefined
  if (parameters !== undefined) {
    try {
      params = readParameters(parameters)
    } catch (error) {
      throw refuse(
        'parameters',
        parameters,
        `the parameters of a network (${messageOf(error)})`,
        error,
      )
    }
    if (id !== undefined && networkIdOf(params) !== id) {
      throw refuse('parameters', `those of ${networkIdOf(params)}`, `those of ${id}`)
    }
  }
  return {
    network: id ?? (params === undefined ? undefined : networkIdOf(params)),
    parameters: params,
    listen: addresses('listen'),
    bootstrap: addresses('bootstrap') ?? [],
    relays: addresses('relays') ?? [],
    lan: lan ?? false,
  }
}

/** A peers file with these entries. */
export function encodePeersFile(entries: {
  network: NetworkId
  bootstrap: readonly string[]
}): PeersFile {
  const bootstrap = [...new Set(entries.bootstrap)].slice(0, MAX_ENTRIES)
  return { network: entries.network, listen: [], bootstrap, relays: [], lan: false }
}

function readNetwork(value: unknown): NetworkId | undefined {
  if (typeof value !== 'string') return undefined
  try {
    return isLink(link(value), [DAG_CBOR]) ? (value as NetworkId) : undefined
  } catch {
    return undefined
  }
}

function readParameters(value: unknown): NetworkParams {
  if (!isObject(value)) throw new SyntaxError('an object { … } is expected')
  const entries = Object.entries(value).map(([key, entry]) => {
    const isBytes = key === 'founder' || key === 'salt'
    return [key, isBytes && typeof entry === 'string' ? fromHex(entry) : entry] as const
  })
  return networkParamsShape.read(Object.fromEntries(entries) as never, 'parameters')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
