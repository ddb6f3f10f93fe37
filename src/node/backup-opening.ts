/** Opens the destinations of the configuration, and joins what writes, reads and watches the backups there. Wiring only. */
import { type NetworkParams, networkIdOf } from '../chain/params.ts'
import type { CairnError } from '../common/errors.ts'
import { type Backups, type BackupsComponents, createBackups } from '../services/backup/backups.ts'
import type { LocalContents } from '../services/backup/contents/bringing.ts'
import type { Destination } from '../services/backup/destination.ts'
import type { Owner } from '../services/backup/standing.ts'
import type { Keystore } from '../storage/keystore.ts'
import { openContents } from './backup-contents.ts'
import { openDestinations, openUnseen } from './backup-destinations.ts'
import { type BackupFigures, createFigures, retentionOf } from './backup-figures.ts'
import type { BackupKeys } from './backup-keys.ts'
import { createLateKeys } from './late-keys.ts'
import type { BackupOptions } from './options.ts'

type Joined = 'contents' | 'destinations' | 'owner' | 'sources' | 'onPerson'

export interface OpeningComponents extends Omit<BackupsComponents, Joined> {
  readonly chain: BackupsComponents['chain'] & Parameters<typeof createLateKeys>[0]['chain']
  readonly contents: LocalContents
  readonly keystore: Keystore
  readonly person: Owner['person']
  readonly vouched: NonNullable<Owner['vouched']>
  readonly keys: Pick<BackupKeys, 'from'>
}

export interface OpenedBackups {
  /** Not started yet. */
  readonly backups: Backups
  readonly figures: BackupFigures
  readonly destinations: readonly Destination[]
  /** Destinations that are configured by half or do not open, those that were known before first. */
  readonly faults: readonly CairnError[]
}

export async function openBackups(
  components: OpeningComponents,
  init: {
    readonly params: NetworkParams
    readonly dataDir: string
    /** Where content is given to pinning services: multiaddrs. */
    readonly listen: readonly string[]
    readonly options: BackupOptions
  },
  signal: AbortSignal,
): Promise<OpenedBackups> {
  const { chain, clock, keys, vouched, person } = components
  const { params, options } = init
  const logger = components.logger.child('backup')
  const network = networkIdOf(params)
  const opened = await openDestinations({ clock, logger }, options, init.dataDir, init.listen)
  const { destinations, faults } = opened
  for (const { code, message } of faults.slice(options.faults.length)) {
    logger.error(message, { code })
  }
  const key = await keys.from(destinations, signal)
  const { contents, hasContents } = openContents(
    { ...components, destinations, logger },
    { params, wanted: options.contents },
  )
  const backups = createBackups(
    {
      ...components,
      contents,
      destinations,
      owner: { network, user: () => chain.user, key, vouched, person },
      sources: await openUnseen({ ...components, logger }, options.sources ?? []),
      onPerson: createLateKeys(components, { network }),
    },
    {
      params,
      passphrase: options.given.passphrase,
      retention: retentionOf(destinations, options.retention),
      hasContents,
    },
  )
  const figures = createFigures(
    { backups, destinations, clock, logger },
    { network, key, prices: options.prices },
  )
  return { backups, figures, destinations, faults }
}
