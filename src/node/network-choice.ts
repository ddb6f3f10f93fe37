/**
 * Which network this node belongs to: the one that its directory knows, the one that the peers file names, or a
 * new one that this device founds.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type DeviceId, deviceKeyOf, type NetworkId } from '../chain/ids.ts'
import {
  DEFAULT_DIFFICULTY_FLOOR,
  decodeParams,
  encodeParams,
  type NetworkParams,
  networkIdOf,
} from '../chain/params.ts'
import { fromHex, toHex, utf8 } from '../common/bytes.ts'
import type { Clock } from '../common/clock.ts'
import { messageOf } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import { findNetwork } from '../network/join.ts'
import type { PeersConfig } from '../network/peers-file.ts'
import { writeFileAtomic } from '../storage/atomic-file.ts'
import { nodeError } from './errors.ts'

const PUBLIC_SALT_BYTES = 16
/** Which network a directory belongs to. */
export const NETWORK_FILE = 'network.json'
/** What stands in a directory while it joins a network: joining.ts. */
export const JOINING_FILE = 'joining.json'
/** What stands in a copied directory while it becomes another device: joining-copy.ts. */
export const BEFORE_FILE = 'network.before.json'

/** Stands in a directory while it is made from backups, and names their network: restoring.ts. */
export const RESTORING_FILE = 'restoring.json'

/** Whether a directory is of no network yet, so that a start would found one, or look for backups. */
export function isOfNoNetwork(dataDir: string): boolean {
  if (isHalfRestored(dataDir)) return true
  return ![NETWORK_FILE, JOINING_FILE, BEFORE_FILE].some((name) => existsSync(join(dataDir, name)))
}

/** Whether a restore began in a directory and did not end: its last step names the network. */
export function isHalfRestored(dataDir: string): boolean {
  if (!existsSync(join(dataDir, RESTORING_FILE))) return false
  const known = readNetwork(dataDir)
  return known === undefined || networkIdOf(known) !== restoringNetwork(dataDir)
}

/** The network of a restore that began; undefined: none did, or its file says nothing. */
export function restoringNetwork(dataDir: string): string | undefined {
  try {
    const text = readFileSync(join(dataDir, RESTORING_FILE), 'utf8')
    return (JSON.parse(text) as { network?: string }).network
  } catch {
    return undefined
  }
}

export interface NetworkChoiceComponents {
  readonly keySeed: Uint8Array
  readonly device: DeviceId
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * The parameters of this node's network; written into the directory, so that a damaged database does not lose
 * them.
 *
 * @param signal - ends the wait for a peer that tells the parameters
 * @throws `NETWORK_DIFFERS`, `NETWORK_FILE`, `NETWORK_UNNAMED`, `JOIN_UNFINISHED`, `RESTORE_UNFINISHED`
 */
export async function chooseNetwork(
  components: NetworkChoiceComponents,
  init: {
    readonly dataDir: string
    readonly peers: PeersConfig | undefined
    readonly difficultyFloor: number | undefined
    /** Of a network that is founded; default: by invite. */
    readonly admission: NetworkParams['admission'] | undefined
  },
  signal: AbortSignal,
): Promise<{ params: NetworkParams; founded: boolean }> {
  if (isHalfRestored(init.dataDir)) throw nodeError('RESTORE_UNFINISHED', { path: init.dataDir })
  const wanted = init.peers?.network
  const known = readNetwork(init.dataDir)
  if (known !== undefined) {
    const found = networkIdOf(known)
    if (wanted !== undefined && wanted !== found) {
      throw nodeError('NETWORK_DIFFERS', { found, wanted, path: init.dataDir })
    }
    return { params: known, founded: false }
  }
  if ([JOINING_FILE, BEFORE_FILE].some((name) => existsSync(join(init.dataDir, name)))) {
    throw nodeError('JOIN_UNFINISHED', { path: init.dataDir })
  }
  // Peers without a network's name could be anybody's; and founding a network beside them surprises.
  if (wanted === undefined && (init.peers?.bootstrap.length ?? 0) > 0) {
    throw nodeError('NETWORK_UNNAMED')
  }
  const params =
    init.peers?.parameters ??
    (wanted === undefined
      ? foundNetwork(components, init)
      : await askForParams(components, wanted, init.peers?.bootstrap ?? [], signal))
  writeNetwork(init.dataDir, params)
  return { params, founded: wanted === undefined && init.peers?.parameters === undefined }
}

/** Says in the directory which network it belongs to; on the disk when this returns. */
export function writeNetwork(dataDir: string, params: NetworkParams): void {
  const content = { network: networkIdOf(params), parameters: toHex(encodeParams(params)) }
  const bytes = utf8(`${JSON.stringify(content, null, 2)}\n`)
  writeFileAtomic(join(dataDir, NETWORK_FILE), bytes, 0o600)
}

/** The parameters of the network that a directory belongs to; undefined: none yet. @throws `NETWORK_FILE` */
export function readNetwork(dataDir: string): NetworkParams | undefined {
  return readKnown(join(dataDir, NETWORK_FILE))
}

/** The parameters in such a file; undefined: there is none. @throws `NETWORK_FILE` */
export function readKnown(path: string): NetworkParams | undefined {
  if (!existsSync(path)) return undefined
  try {
    const { parameters } = JSON.parse(readFileSync(path, 'utf8')) as { parameters: string }
    return decodeParams(fromHex(parameters))
  } catch (error) {
    throw nodeError('NETWORK_FILE', { path, why: messageOf(error) }, error)
  }
}

function foundNetwork(
  { device, clock }: NetworkChoiceComponents,
  {
    difficultyFloor = DEFAULT_DIFFICULTY_FLOOR,
    admission = 'invite',
  }: {
    readonly difficultyFloor: number | undefined
    readonly admission: NetworkParams['admission'] | undefined
  },
): NetworkParams {
  return {
    version: 1,
    founder: deviceKeyOf(device) ?? new Uint8Array(),
    salt: clock.randomBytes(PUBLIC_SALT_BYTES),
    time: clock.now(),
    difficultyFloor,
    admission,
  }
}

/** Asks whoever answers of the network; what comes must hash to the network's id, so nobody can lie. */
function askForParams(
  components: NetworkChoiceComponents,
  network: NetworkId,
  bootstrap: readonly string[],
  signal: AbortSignal,
): Promise<NetworkParams> {
  components.logger.info('Asking the peers for the parameters of the network', { network })
  return findNetwork(components, { bootstrap, network }, signal)
}
