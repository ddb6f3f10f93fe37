/** What a node can be told; the defaults stand beside it. Strings are parsed by whoever reads them (interfaces). */
import type { Clock } from '../common/clock.ts'
import type { CairnError } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import type { DestinationPlan } from '../services/backup/from-environment.ts'
import type { PriceTable } from '../services/backup/prices.ts'
import type { RetentionPolicy } from '../services/backup/retention.ts'

/** Port on which members reach each other. */
const DEFAULT_PEER_PORT = 4005
/** Where a node listens for members unless it is told otherwise. */
export const DEFAULT_LISTEN: readonly string[] = [
  `/ip4/0.0.0.0/tcp/${DEFAULT_PEER_PORT}`,
  `/ip6/::/tcp/${DEFAULT_PEER_PORT}`,
]

/** The same places with ports that the system chooses. */
export function anyPort(listen: readonly string[]): string[] {
  return [...new Set(listen.map((address) => address.replace(/\/tcp\/\d+.*$/, '/tcp/0')))]
}

/** What opens backups: one of them is enough. */
export interface BackupSecrets {
  /** The 32 bytes of the recovery kit. */
  readonly kit?: Uint8Array | undefined
  /** The passphrase that was set at the destinations. */
  readonly passphrase?: string | undefined
}

export interface BackupOptions {
  /** Where backups go, in the order in which they break ties. */
  readonly plans: readonly DestinationPlan[]
  /** What a restore looks at besides, and nothing is written to. */
  readonly sources?: readonly DestinationPlan[]
  /** A backup on IPFS of which only the CID is known. @throws BACKUP_CID, DESTINATION_SETTING */
  readonly fromCid?: (cid: string) => Promise<DestinationPlan>
  /** Destinations that are configured by half. */
  readonly faults: readonly CairnError[]
  /** What the environment gives without asking anybody; the passphrase is set at the destinations too. */
  readonly given: BackupSecrets
  /**
   * Asks a person, when there is something to restore and nothing was given.
   *
   * @param wrong - what was said before opens nothing
   * @returns undefined: nobody can be asked any more
   */
  readonly ask?: ((wrong: boolean) => Promise<BackupSecrets | undefined>) | undefined
  /** Go on without the backups although there may be some. */
  readonly newNetwork?: boolean
  /** For every destination that keeps more than the latest; default: DEFAULT_RETENTION. */
  readonly retention?: RetentionPolicy | undefined
  /** Destinations that get the contents of files too: names, kinds, `all`; default: none. */
  readonly contents?: readonly string[] | undefined
  /** Prices that replace those of the table. */
  readonly prices?: Partial<PriceTable> | undefined
}

export interface NodeOptions {
  /** The directory of everything that this node keeps. */
  readonly dataDir: string
  /** Name of the user, for the first start. */
  readonly name: string
  /** Name of this device, for the first start. */
  readonly deviceName: string
  /** Multiaddrs to listen on; empty: listens nowhere. Default: the peers file's, then DEFAULT_LISTEN. */
  readonly listen?: readonly string[]
  /** Multiaddrs to tell others instead of those found by itself. */
  readonly announce?: readonly string[]
  /** A peers file: which network, and where its members are. */
  readonly peersFile?: string
  /** Look for members on the local network; default: as the peers file says, else no. */
  readonly lan?: boolean
  /** Difficulty floor of a network that this start founds (expected hashes per block). */
  readonly difficultyFloor?: number
  /** Who may join a network that this start founds: who was invited (default), or anybody. */
  readonly admission?: 'invite' | 'open'
  /** `nothing`: content is fetched only when somebody asks for it. Default: everything. */
  readonly policy?: 'everything' | 'nothing'
  /** Bytes of content that may be stored; default: what the disk has. */
  readonly maxStorageBytes?: number
  /** Bytes per second that are sent to other devices; default: no limit. */
  readonly uploadBytesPerSecond?: number
  /**
   * Asked when the keys are under a passphrase; undefined: nobody knows it.
   *
   * @param wrong - what was given before does not open them
   */
  readonly passphrase?: (wrong: boolean) => Promise<string | undefined>
  /** Undefined: this node is without backups, and nobody is warned. */
  readonly backups?: BackupOptions
  /** Version of the software, for the status. */
  readonly version: string
  readonly logger: Logger
  readonly clock?: Clock
}
