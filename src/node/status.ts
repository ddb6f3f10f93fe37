/** Everything at a glance, and what is wrong with a remedy. Reads of the parts; no state but the last alarms. */
import { stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../common/clock.ts'
import type { Events } from '../common/events.ts'
import { count } from '../common/plural.ts'
import type { Network } from '../network/network.ts'
import type { BackupsStatus } from '../services/backup/overview.ts'
import type { ChainService } from '../services/chain/chain-service.ts'
import type { NodeEvents } from '../services/events.ts'
import type { Explorer } from '../services/explorer/explorer.ts'
import type { ChainSummary } from '../services/explorer/types.ts'
import type { VerifyChain } from '../services/explorer/verify-chain.ts'
import type { Mining } from '../services/mining.ts'
import { type OwnRevocation, revokedText } from '../services/people/revoked-text.ts'
import type { ChainStore } from '../storage/chain-store.ts'
import type { Pins } from '../storage/pins.ts'
import { backupChecks } from './backup-checks.ts'
import type { Check } from './check.ts'
import { createFileFigures } from './file-figures.ts'

/** Alarms that are kept for people who look later. */
const MAX_ALARMS = 50
/** Free bytes below which `doctor` warns. */
const LOW_SPACE_BYTES = 1024 ** 3

export interface Alarm {
  readonly code: string
  readonly message: string
  readonly time: number
}

/** Who this node is. `user` is null until the device's own admission exists. */
export interface Identity {
  readonly network: string
  readonly device: string
  readonly deviceName: string
  readonly user: string | null
  readonly userName: string | null
}

export interface NodeStatus {
  readonly version: string
  readonly startedAt: number
  readonly dataDir: string
  readonly role: 'member' | 'backup'
  readonly identity: Identity
  readonly chain: ChainSummary
  readonly peers: { readonly connected: number; readonly known: number }
  readonly listen: readonly string[]
  readonly files: {
    readonly count: number
    readonly bytes: number
    /** Complete here. */
    readonly local: number
    readonly localBytes: number
    /** Being fetched or waiting for a holder. */
    readonly missing: number
  }
  readonly storage: {
    readonly used: number
    readonly free: number | null
    readonly limit: number | null
  }
  readonly mining: boolean
  readonly syncing: boolean
  readonly backups: BackupsStatus
  /** That this device was revoked; null: not as far as it knows. */
  readonly revoked: OwnRevocation | null
  /** The newest last; bounded. */
  readonly alarms: readonly Alarm[]
}

export interface StatusComponents {
  readonly store: ChainStore
  readonly chain: ChainService
  readonly explorer: Explorer
  readonly network: Network
  readonly mining: Mining
  readonly pins: Pick<Pins, 'isWhole'>
  readonly events: Events<NodeEvents>
  readonly clock: Clock
  readonly identity: () => Identity
  readonly verify: VerifyChain
  readonly backups: () => BackupsStatus
  readonly revoked: () => OwnRevocation | null
}

export interface StatusInit {
  readonly version: string
  readonly dataDir: string
  readonly maxStorageBytes: number | undefined
  /** Where a damaged database was put aside at this start. */
  readonly damaged: string | undefined
}

export interface StatusService {
  status(): Promise<NodeStatus>
  check(options: { deep: boolean }, signal: AbortSignal): Promise<Check[]>
}

export function createStatus(components: StatusComponents, init: StatusInit): StatusService {
  const { store, chain, explorer, network, mining, pins, events, clock } = components
  const startedAt = clock.now()
  const alarms: Alarm[] = []
  const alarm = (code: string, message: string): void => {
    alarms.push({ code, message, time: clock.now() })
    if (alarms.length > MAX_ALARMS) alarms.shift()
  }
  events.on('chain:alarm', ({ code, message }) => alarm(code, message))
  events.on('copy:damaged', ({ cid }) =>
    alarm(
      'CONTENT_DAMAGED',
      `A block of content was damaged on this disk (${cid}); it is fetched again from other devices.`,
    ),
  )
  if (init.damaged !== undefined) {
    alarm(
      'DATABASE_DAMAGED',
      `The database was damaged and is kept at ${init.damaged}. A new one was made; what it held comes back from this device's journal and from the peers.`,
    )
  }

  const fileFigures = createFileFigures({ store, pins, events, clock })

  /** When the data directory began: its first file is written then, and at a change of the layout. */
  const began = (): Promise<number> =>
    stat(join(init.dataDir, 'format')).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    )

  const freeBytes = async (): Promise<number | null> => {
    try {
      const { bavail, bsize } = await statfs(init.dataDir)
      return bavail * bsize
    } catch {
      return null
    }
  }

  return {
    status: async () => {
      const { used, ...files } = await fileFigures()
      await explorer.chain.counted()
      return {
        version: init.version,
        startedAt,
        dataDir: init.dataDir,
        role: 'member',
        identity: components.identity(),
        chain: explorer.chain.summary(),
        peers: {
          connected: network.peers.connected().length,
          known: network.peers.list().length,
        },
        listen: network.host.addresses(),
        files,
        storage: { used, free: await freeBytes(), limit: init.maxStorageBytes ?? null },
        mining: mining.active,
        syncing: false,
        backups: components.backups(),
        revoked: components.revoked(),
        alarms: [...alarms],
      }
    },
    check: async ({ deep }, signal) => {
      const checks: Check[] = []
      const { halted } = chain
      checks.push(
        halted === undefined
          ? ok(
              'chain',
              `The chain has ${count(store.tip().height, 'block')}; this node follows its rules.`,
            )
          : failed('chain', halted.message, 'Follow what it says, then start the node again.'),
      )
      const revoked = components.revoked()
      if (revoked !== null) {
        checks.push(
          failed(
            'membership',
            revokedText(revoked),
            'What is stored here alone is written out by "cairn get FILE".',
          ),
        )
      }
      const connected = network.peers.connected().length
      checks.push(
        connected > 0
          ? ok(
              'peers',
              connected === 1 ? 'One device is connected.' : `${connected} devices are connected.`,
            )
          : warning(
              'peers',
              'No other device is connected: files stay on this one alone.',
              'On another device: "cairn join" with a code of "cairn invite" ("cairn invite --device" for a device of yours). One that is in this network already: "cairn peers add" its address.',
            ),
      )
      const free = await freeBytes()
      checks.push(
        free === null || free > LOW_SPACE_BYTES
          ? ok('disk', 'There is room on the disk.')
          : warning(
              'disk',
              `Only ${Math.floor(free / 1024 ** 2)} MiB are free on the disk of ${init.dataDir}.`,
              'Free some space, or move the data directory to a larger disk.',
            ),
      )
      checks.push(...backupChecks(components.backups(), clock.now(), await began()))
      for (const { code, message } of alarms) checks.push(warning(code, message, null))
      if (deep) {
        const result = await components.verify(signal)
        checks.push(
          result.ok
            ? ok(
                'history',
                `The whole history is right: ${count(result.blocks, 'block')}, ${count(result.records, 'record')}.`,
              )
            : failed(
                'history',
                result.problem ?? 'The history is not right.',
                'Stop the node, keep a copy of the data directory, and start it with an empty one: it fetches the chain from the peers.',
              ),
        )
      }
      return checks
    },
  }
}

function ok(name: string, says: string): Check {
  return { name, result: 'ok', says, remedy: null }
}

function warning(name: string, says: string, remedy: string | null): Check {
  return { name, result: 'warning', says, remedy }
}

function failed(name: string, says: string, remedy: string): Check {
  return { name, result: 'failed', says, remedy }
}
