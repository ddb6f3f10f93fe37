/** How a device that has only addresses learns of the network behind them: it asks a peer for the parameters. */
import type { DeviceId, NetworkId } from '../chain/ids.ts'
import { decodeParams, type NetworkParams, networkIdOf } from '../chain/params.ts'
import { type Clock, sleep } from '../common/clock.ts'
import { codeOf } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import { parseAddress } from './address.ts'
import { createDeadline } from './deadline.ts'
import { networkError } from './errors.ts'
import { createHost, type Host } from './host.ts'
import { createSyncProtocol } from './sync/protocol.ts'

export interface JoinComponents {
  /** Ed25519 secret of the device, 32 bytes: members may let only known devices in. */
  readonly keySeed: Uint8Array
  readonly clock: Clock
  readonly logger: Logger
}

export interface JoinInit {
  /** Addresses of peers; tried one after the other, again and again. */
  readonly bootstrap: readonly string[]
  /** The network that is looked for; without it, that of the first peer that answers. */
  readonly network?: NetworkId
}

/** Between two rounds over all addresses. */
const ROUND_MS = 500
const LONGEST_ROUND_MS = 5000
/** For one peer: dial, handshake and answer. */
const ATTEMPT_MS = 10_000

/**
 * The parameters of the network that the peers at these addresses belong to. Tries until `signal` aborts, and
 * then throws its reason.
 *
 * @throws `PEER_ADDRESS`
 */
export async function findNetwork(
  { keySeed, clock, logger }: JoinComponents,
  { bootstrap, network }: JoinInit,
  signal: AbortSignal,
): Promise<NetworkParams> {
  const addresses = bootstrap.map(parseAddress)
  const decisions = { admit: () => true }
  // It listens nowhere and hears no gossip, so the topics' name does not matter yet.
  const host = await createHost(
    { keySeed, decisions, logger },
    { network: network ?? ('unknown' as NetworkId), listen: [] },
  )
  try {
    await host.start()
    for (let wait = ROUND_MS; ; wait = Math.min(LONGEST_ROUND_MS, wait * 2)) {
      for (const address of addresses) {
        const bounded = createDeadline(clock, ATTEMPT_MS, signal)
        try {
          const connection = await host.libp2p.dial(address, { signal: bounded.signal })
          const device = connection.remotePeer.toString() as DeviceId
          return await askParameters(host, device, network, { clock, logger }, bounded.signal)
        } catch (error) {
          signal.throwIfAborted()
          logger.debug('A peer could not tell of its network.', { code: codeOf(error) })
        } finally {
          bounded.end()
        }
      }
      await sleep(clock, wait, signal)
    }
  } finally {
    await host.stop()
  }
}

async function askParameters(
  { libp2p }: Host,
  device: DeviceId,
  network: NetworkId | undefined,
  components: { clock: Clock; logger: Logger },
  signal: AbortSignal,
): Promise<NetworkParams> {
  const protocol = createSyncProtocol({ libp2p, ...components })
  const params = decodeParams((await protocol.peer(device).status(signal)).params)
  if (network !== undefined && networkIdOf(params) !== network) {
    throw networkError('SYNC_OTHER_NETWORK', { peer: device })
  }
  return params
}
