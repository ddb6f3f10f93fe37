/**
 * The backups of a node: the destinations of its configuration, opened when it starts, and what is told of them.
 *
 * owns: when destinations open and close, what is asked of them all
 * does not own: what is written, when, and what is brought back (services/backup)
 *
 * Without a destination nothing of it is loaded.
 */
import { type NetworkParams, networkIdOf } from '../chain/params.ts'
import type { Clock } from '../common/clock.ts'
import { type CairnError, codeOf, messageOf } from '../common/errors.ts'
import type { Events } from '../common/events.ts'
import type { Startable } from '../common/lifecycle.ts'
import type { Logger } from '../common/logger.ts'
import type { Backups, SaveOutcome } from '../services/backup/backups.ts'
import type { Problem } from '../services/backup/catalog.ts'
import type { LocalContents } from '../services/backup/contents/bringing.ts'
import type { Drilled } from '../services/backup/drill.ts'
import { backupError } from '../services/backup/errors.ts'
import type { BackupKey } from '../services/backup/keys.ts'
import type { BackupView } from '../services/backup/listing.ts'
import {
  type BackupsStatus,
  type ContentsView,
  NOT_CONFIGURED,
} from '../services/backup/overview.ts'
import type { Restored } from '../services/backup/restore.ts'
import type { Cleaned } from '../services/backup/retention.ts'
import type { Selection } from '../services/backup/selection.ts'
import type { Owner } from '../services/backup/standing.ts'
import type { Verified } from '../services/backup/verify.ts'
import type { ChainService } from '../services/chain/chain-service.ts'
import type { Verifier } from '../services/chain/intake.ts'
import type { Signer } from '../services/chain/own-records.ts'
import type { NodeEvents } from '../services/events.ts'
import type { ChainStore } from '../storage/chain-store.ts'
import type { Keystore } from '../storage/keystore.ts'
import type { BackupFigures } from './backup-figures.ts'
import { createBackupKeys } from './backup-keys.ts'
import { createBackupLooks } from './backup-looks.ts'
import { atEach, verifyNamed } from './backup-selection.ts'
import { createBackupVouching } from './backup-vouching.ts'
import type { BackupOptions } from './options.ts'

/** Milliseconds that the start waits for backups of a chain whose database was damaged. */
const REPAIR_MS = 60_000

export interface NodeBackups extends Startable {
  status(): BackupsStatus
  /** A backup by hand. @throws BACKUP_NOT_CONFIGURED, DESTINATION_UNKNOWN */
  create(
    request: {
      readonly name: string
      readonly destination?: string | undefined
      readonly full?: boolean
      /** Who asked for it: a number that an administrator gave. */
      readonly by?: number | undefined
    },
    signal: AbortSignal,
  ): Promise<{ readonly outcomes: readonly SaveOutcome[] }>
  /** The newest first. @throws BACKUP_NOT_CONFIGURED */
  list(signal: AbortSignal): Promise<{
    readonly items: readonly BackupView[]
    readonly problems: readonly Problem[]
    /** The contents of files, which all backups at a destination share. */
    readonly contents: readonly ContentsView[]
  }>
  /**
   * Reads backups from their destination.
   *
   * @param id - of a backup, or a destination's name or kind; undefined: the newest of each destination
   * @throws BACKUP_NOT_CONFIGURED, BACKUP_NONE
   */
  verify(id: string | undefined, signal: AbortSignal): Promise<readonly (Verified | Problem)[]>
  /** Restores for practice. @throws as `verify` */
  drill(
    destination: string | undefined,
    signal: AbortSignal,
  ): Promise<readonly (Drilled | Problem)[]>
  /** Removes what retention does not want. @throws as `verify` */
  prune(
    destination: string | undefined,
    signal: AbortSignal,
  ): Promise<readonly ((Cleaned & { readonly destination: string }) | Problem)[]>
  /** Takes in what backups hold; never goes back. @throws BACKUP_NOT_CONFIGURED, BACKUP_BEHIND, BACKUP_NONE */
  restore(selection: Selection, signal: AbortSignal): Promise<Restored>
  /** Lets a passphrase open the backups. @throws BACKUP_NOT_CONFIGURED, BACKUP_KEY_MISSING */
  setPassphrase(passphrase: string, signal: AbortSignal): Promise<readonly Problem[]>
  /** The key of the backups, as `age` reads it. @throws BACKUP_KEY_MISSING */
  key(): Promise<Pick<BackupKey, 'identity' | 'recipient'>>
}

export interface NodeBackupsComponents {
  readonly chain: ChainService
  readonly store: ChainStore
  readonly signer: Signer
  readonly verifier: Verifier
  readonly events: Events<NodeEvents>
  readonly keystore: Keystore
  /** The contents of files that are here. */
  readonly contents: LocalContents
  /** What brings the user back. */
  readonly person: Owner['person']
  readonly clock: Clock
  readonly logger: Logger
}

export function createNodeBackups(
  components: NodeBackupsComponents,
  init: {
    readonly params: NetworkParams
    readonly dataDir: string
    /** Where content is given to pinning services, while it is: multiaddrs. */
    readonly listen: readonly string[]
    /** Undefined: a node without backups. */
    readonly options: BackupOptions | undefined
    /** The database was damaged, or is gone: what backups hold is taken in before anything else. */
    readonly damaged: boolean
  },
): NodeBackups {
  const { keystore, clock } = components
  const { options } = init
  const logger = components.logger.child('backup')
  const network = networkIdOf(init.params)
  const isConfigured = options !== undefined && options.plans.length + options.faults.length > 0
  let running: { readonly backups: Backups; readonly figures: BackupFigures } | undefined
  let faults: readonly CairnError[] = options?.faults ?? []
  let stopping = new AbortController()

  const vouching = createBackupVouching(components, { network, hasBackups: isConfigured })
  const keys = createBackupKeys(components, { passphrase: options?.given.passphrase })

  const repair = async (backups: Backups): Promise<void> => {
    const limit = AbortSignal.any([stopping.signal, AbortSignal.timeout(REPAIR_MS)])
    try {
      const { height, records, sources } = await backups.restore({}, limit, { inHaste: true })
      const from = sources.map(({ destination }) => destination).join(', ')
      logger.warn('Taken over from backups', { height, records, from })
    } catch (error) {
      const level = codeOf(error) === 'BACKUP_NONE' ? 'info' : 'warn'
      logger[level]('Nothing was taken over from backups', {
        code: codeOf(error),
        why: messageOf(error),
      })
    }
  }

  const looks = createBackupLooks({ clock }, async (signal) => {
    await running?.figures.look(signal)
  })

  const needed = (): Backups => {
    if (running === undefined) throw backupError('BACKUP_NOT_CONFIGURED')
    return running.backups
  }
  return {
    start: async () => {
      await vouching.start()
      if (running !== undefined || options === undefined) return
      stopping = new AbortController()
      for (const { code, message } of options.faults) logger.error(message, { code })
      if (!isConfigured) logger.warn(NOT_CONFIGURED)
      if (options.plans.length === 0) return
      const { openBackups } = await import('./backup-opening.ts')
      const opened = await openBackups(
        { ...components, vouched: vouching.vouched, keys },
        { ...init, options },
        stopping.signal,
      )
      const { backups, figures } = opened
      faults = opened.faults
      if (init.damaged) await repair(backups)
      await backups.start()
      running = { backups, figures }
      logger.info('Backups go to', {
        destinations: opened.destinations.map(({ name }) => name).join(', '),
      })
      looks.start()
    },
    stop: async () => {
      await vouching.stop()
      if (running === undefined) return
      const { backups } = running
      running = undefined
      stopping.abort(new Error('the node stops'))
      await looks.stop()
      logger.info('Backing up what is new before the stop')
      await backups.stop()
      for (const { name, lastSaved, behind } of backups.status()) {
        if (!behind)
          logger.info('The backup is complete', { destination: name, name: lastSaved?.name })
      }
    },
    status: () => {
      const warnings = options !== undefined && !isConfigured ? [NOT_CONFIGURED] : []
      const told = faults.map(({ code, message }) => ({ code, message }))
      if (running === undefined) {
        const nothing = {
          key: 'none',
          passphrase: false,
          returned: null,
          destinations: [],
        } as const
        return { configured: isConfigured, warnings, faults: told, ...nothing }
      }
      const { figures } = running
      const key = keystore.complete().includes('recovery') ? 'kit' : figures.hasKey ? 'key' : 'none'
      return {
        configured: true,
        warnings: [...warnings, ...figures.warnings()],
        faults: told,
        key,
        passphrase: figures.hasPassphrase,
        returned: running.backups.contents() ?? null,
        destinations: figures.destinations(),
      }
    },
    create: async (request, signal) => {
      const outcomes = await needed().save(request, signal)
      looks.soon()
      return { outcomes }
    },
    list: async (signal) => {
      const { backups, problems } = await needed().list(signal)
      return { items: backups, problems, contents: running?.figures.contents() ?? [] }
    },
    verify: async (id, signal) => verifyNamed(needed(), id, signal),
    drill: async (destination, signal) => {
      const backups = needed()
      return atEach(backups, destination, (name) => backups.drill(name, signal), signal)
    },
    prune: async (destination, signal) => {
      const backups = needed()
      const prune = async (name: string): Promise<Cleaned & { readonly destination: string }> => ({
        destination: name,
        ...(await backups.prune(name, signal)),
      })
      const pruned = await atEach(backups, destination, prune, signal)
      looks.soon()
      return pruned
    },
    restore: async (selection, signal) => {
      const backups = needed()
      const { openByCid } = await import('./backup-destinations.ts')
      const byCid = await openByCid({ clock, logger }, options?.fromCid, selection.id)
      try {
        return await backups.restore(selection, signal, { more: byCid })
      } finally {
        for (const each of byCid) await each.close()
      }
    },
    setPassphrase: async (passphrase, signal) => {
      return needed().setPassphrase(passphrase, signal)
    },
    key: async () => {
      const key = await keys.here()
      if (key === undefined) throw backupError('BACKUP_KEY_MISSING')
      return { identity: key.identity, recipient: key.recipient }
    },
  }
}
