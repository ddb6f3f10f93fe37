/**
 * When to sync with whom: at each new connection, at intervals, and when gossip shows that something is
 * missing. One run per peer at a time; what is asked for meanwhile makes one more run after it.
 */
import type { DeviceId } from '../../chain/ids.ts'
import type { Clock } from '../../common/clock.ts'
import { CairnError, codeOf } from '../../common/errors.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/logger.ts'
import type { SyncClient, SyncResult } from './client.ts'
import type { SyncPeer } from './peer.ts'

export interface SyncRunner extends Startable {
  /** A connection to `device` is there: a run begins, and others follow at intervals. */
  connected(device: DeviceId): void
  disconnected(device: DeviceId): void
  /** Something that `device` has is missing here. Cheap: what comes while a run is on is one more run. */
  request(device: DeviceId): void
  /** Runs with every connected peer now; resolves when these have ended, failed ones too. */
  runAll(signal: AbortSignal): Promise<readonly SyncResult[]>
}

export interface SyncRunnerComponents {
  readonly client: SyncClient
  /** How to ask a device. */
  readonly peer: (device: DeviceId) => SyncPeer
  readonly clock: Clock
  readonly logger: Logger
  readonly onResult?: (result: SyncResult) => void
  /** The peer sent what it must have known to be wrong. */
  readonly onOffence?: (device: DeviceId, code: string) => void
}

export interface SyncRunnerInit {
  /** Milliseconds between runs with one peer, plus up to a fifth of it by chance. */
  readonly intervalMs?: number
}

interface Partner {
  cancel: () => void
  running: Promise<SyncResult | undefined> | undefined
  again: boolean
  failures: number
  /** Tries left for something that was announced and has not come. */
  hints: number
}

const INTERVAL_MS = 10_000
/** Between two runs with one peer at least, so that a flood of hints costs ten status questions a second. */
const MIN_GAP_MS = 100
/**
 * Tries after a hint that brought nothing: a peer passes on what it has not yet stored itself. Each waits three
 * times as long as the one before: 0.3, 0.9, 2.7 s.
 */
const HINTS = 3
/** After a failure: doubled each time, up to the interval times four. */
const RETRY_MS = 500

export function createSyncRunner(
  { client, peer, clock, logger, onResult, onOffence }: SyncRunnerComponents,
  init: SyncRunnerInit = {},
): SyncRunner {
  const intervalMs = init.intervalMs ?? INTERVAL_MS
  const partners = new Map<DeviceId, Partner>()
  let ending = new AbortController()
  let started = false

  const plan = (device: DeviceId, partner: Partner, ms: number): void => {
    partner.cancel()
    partner.cancel = clock.after(ms, () => void run(device, partner))
  }

  const failed = (device: DeviceId, partner: Partner, error: unknown): void => {
    partner.failures += 1
    logger.debug('Sync with a peer failed.', { peer: device, code: codeOf(error) })
    if (error instanceof CairnError && error.verdict === 'reject') onOffence?.(device, error.code)
    // What this peer did not bring, another one may have; once, or two that fail would drive each other.
    if (partner.failures > 1) return
    for (const [other, { running }] of partners) {
      if (other !== device && running === undefined) request(other)
    }
  }

  async function once(device: DeviceId, partner: Partner): Promise<SyncResult | undefined> {
    try {
      const result = await client.run(peer(device), ending.signal)
      partner.failures = 0
      if (result.blocks + result.records > 0) partner.hints = 0
      onResult?.(result)
      return result
    } catch (error) {
      if (!ending.signal.aborted && partners.get(device) === partner) failed(device, partner, error)
      return undefined
    }
  }

  function run(device: DeviceId, partner: Partner): Promise<SyncResult | undefined> {
    partner.cancel()
    partner.again = false
    const running = once(device, partner).finally(() => {
      partner.running = undefined
      if (partners.get(device) !== partner || !started) return
      plan(device, partner, restOf(partner))
    })
    partner.running = running
    return running
  }

  const restOf = (partner: Partner): number => {
    if (partner.again) return MIN_GAP_MS
    if (partner.failures > 0) {
      return Math.min(4 * intervalMs, RETRY_MS * 2 ** (partner.failures - 1))
    }
    if (partner.hints > 0) {
      partner.hints -= 1
      return MIN_GAP_MS * 3 ** (HINTS - partner.hints)
    }
    return intervalMs * (1 + clock.random() / 5)
  }

  function request(device: DeviceId): void {
    const partner = partners.get(device)
    if (partner === undefined || !started || partner.again) return
    partner.again = true
    partner.hints = HINTS
    if (partner.running === undefined) plan(device, partner, 0)
  }

  return {
    start: async () => {
      if (started) return
      started = true
      ending = new AbortController()
      for (const [device, partner] of partners) plan(device, partner, 0)
    },
    stop: async () => {
      if (!started) return
      started = false
      ending.abort()
      for (const partner of partners.values()) partner.cancel()
      await Promise.all([...partners.values()].map(({ running }) => running))
    },
    connected: (device) => {
      if (partners.has(device)) return
      const partner = { cancel: () => {}, running: undefined, again: false, failures: 0, hints: 0 }
      partners.set(device, partner)
      if (started) plan(device, partner, 0)
    },
    disconnected: (device) => {
      partners.get(device)?.cancel()
      partners.delete(device)
    },
    request,
    runAll: async (signal) => {
      const runs = [...partners].map(async ([device, partner]) => {
        await partner.running
        signal.throwIfAborted()
        return partner.running ?? run(device, partner)
      })
      const results = await Promise.all(runs)
      return results.filter((result) => result !== undefined)
    },
  }
}
