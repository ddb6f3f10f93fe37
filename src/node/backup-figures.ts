/** What stands at the destinations and what it costs, looked at now and then; and whether the passphrase is there. */
import type { NetworkId } from '../chain/ids.ts'
import type { Clock } from '../common/clock.ts'
import { codeOf } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import { count } from '../common/plural.ts'
import type { Backups } from '../services/backup/backups.ts'
import type { ContentsState } from '../services/backup/contents/contents.ts'
import type { Destination } from '../services/backup/destination.ts'
import { boundedCalls } from '../services/backup/destination-calls.ts'
import type { BackupKey } from '../services/backup/keys.ts'
import { manifestNumber, manifestTime } from '../services/backup/manifest.ts'
import type { ContentsView, DestinationStatus } from '../services/backup/overview.ts'
import { monthlyCost, PRICES, type PriceTable, pricedAs } from '../services/backup/prices.ts'
import { DEFAULT_RETENTION, type RetentionPolicy } from '../services/backup/retention.ts'

const HOUR_MS = 3_600_000
const MONTH_MS: number = 30 * 24 * HOUR_MS
/** Calls that write, for each backup: the segment, the manifest, a list now and then. */
const WRITES_PER_BACKUP = 3
/** Milliseconds without a success after which a destination is warned of. */
const LATE_MS: number = HOUR_MS
const DAYS_MS = 86_400_000
/** A proof is late when it is two days older than it should be: 1 for a verification, 7 for a drill. */
const VERIFY_LATE_MS: number = 3 * DAYS_MS
const DRILL_LATE_MS: number = 9 * DAYS_MS

export interface BackupFigures {
  readonly hasKey: boolean
  /** Whether a passphrase opens the backups at all destinations: the one that is given, or any that was set from here. */
  readonly hasPassphrase: boolean
  destinations(): readonly DestinationStatus[]
  /** Of the destinations that get contents of files. */
  contents(): readonly ContentsView[]
  warnings(): readonly string[]
  /** Asks all destinations what is there; one that does not answer keeps its figures of before. */
  look(signal: AbortSignal): Promise<void>
}

export function createFigures(
  components: {
    readonly backups: Backups
    readonly destinations: readonly Destination[]
    readonly clock: Clock
    readonly logger: Logger
  },
  init: {
    readonly network: NetworkId
    readonly key: BackupKey | undefined
    readonly prices: Partial<PriceTable> | undefined
  },
): BackupFigures {
  const { backups, destinations, clock, logger } = components
  const { key } = init
  const startedAt = clock.now()
  const prices: PriceTable = { ...PRICES, ...init.prices }
  const stored = new Map<string, NonNullable<DestinationStatus['stored']>>()

  const look = async (given: Destination, signal: AbortSignal): Promise<void> => {
    const objects = await boundedCalls(given, clock).list(`${init.network}/`, signal)
    const manifests = objects.filter(({ name }) => manifestNumber(name) !== undefined)
    const bytes = objects.reduce((sum, { size }) => sum + size, 0)
    stored.set(given.name, {
      backups: manifests.length,
      bytes,
      average: manifests.length === 0 ? 0 : Math.round(bytes / manifests.length),
      seen: clock.now(),
      newest: Math.max(0, ...manifests.slice(-100).map(({ name }) => manifestTime(name))),
    })
  }

  const monthly = (destination: Destination, written: number, contents: number): number | null => {
    const found = stored.get(destination.name)
    if (found === undefined) return null
    const hours = Math.max(HOUR_MS, clock.now() - startedAt)
    const writes = (written * WRITES_PER_BACKUP * MONTH_MS) / hours
    const price = prices[pricedAs(destination.kind, destination.name)]
    const reads = found.backups * (MONTH_MS / DAYS_MS)
    return monthlyCost(price, { bytes: found.bytes + contents, writes, reads })
  }

  const statuses = (): DestinationStatus[] =>
    backups.status().map((state) => {
      const { name, kind, lastSaved, lastError, failures, behind, drilled } = state
      const found = stored.get(name)
      const destination = destinations.find((each) => each.name === name)
      const seen = found?.newest ?? 0
      const newest =
        lastSaved !== undefined
          ? { name: lastSaved.name, time: lastSaved.time, size: lastSaved.size }
          : seen > 0
            ? { name: `Backup ${new Date(seen).toISOString()}`, time: seen, size: null }
            : null
      const proof = (one: typeof state.verified) =>
        one === undefined ? null : { time: one.time, code: one.code }
      return {
        destination: name,
        kind,
        newest,
        lastError: lastError ?? null,
        failures,
        behind,
        verified: proof(state.verified),
        drilled:
          drilled === undefined
            ? null
            : { time: drilled.time, code: drilled.code, by: drilled.by ?? null },
        stored: found ?? null,
        contents: contentsStatus(state.contents),
        written: { backups: state.backups, bytes: state.bytes },
        monthly:
          destination === undefined
            ? null
            : monthly(destination, state.backups, state.contents?.bytes ?? 0),
      }
    })

  return {
    hasKey: key !== undefined,
    get hasPassphrase() {
      return backups.status().every(({ passphrase }) => passphrase)
    },
    destinations: statuses,
    contents: () =>
      statuses().flatMap(({ destination, contents }) =>
        contents === null ? [] : [{ destination, ...contents }],
      ),
    warnings: () => {
      const now = clock.now()
      const found = backups
        .unseen()
        .map(
          ({ destination, why = '' }) =>
            `${destination} was silent at the restore: what it holds is taken in when it answers. ${why}`,
        )
      for (const { name, passphraseProblem: problem } of backups.status()) {
        if (problem === undefined) continue
        found.push(`The passphrase does not open the backups at ${name} yet: ${problem.message}`)
      }
      const { missing = 0 } = backups.contents() ?? {}
      if (missing > 0) {
        found.push(
          `The contents of ${count(missing, 'file')} did not come back whole from the backups; another device may have them.`,
        )
      }
      for (const { destination, contents } of statuses()) {
        const problem = contents?.lastError ?? null
        if (problem === null) continue
        found.push(`Contents of files do not get to ${destination}: ${problem.message}`)
      }
      for (const { destination, failures, lastError, newest, verified, drilled } of statuses()) {
        const since = newest?.time ?? startedAt
        if (failures > 0 && lastError !== null) {
          const late = now - since >= LATE_MS ? ' NOTHING WAS SAVED THERE FOR AN HOUR.' : ''
          found.push(`Backups to ${destination} fail: ${lastError.message}${late}`)
        }
        if (verified !== null && verified.code !== null) {
          found.push(
            `A backup at ${destination} was damaged (${verified.code}); a full one follows.`,
          )
        }
        if (drilled !== null && drilled.code !== null) {
          found.push(`The restore for practice from ${destination} failed (${drilled.code}).`)
        }
        if (verified !== null && now - verified.time > VERIFY_LATE_MS) {
          found.push(`Nobody has read the backups at ${destination} for days.`)
        }
        if (drilled !== null && now - drilled.time > DRILL_LATE_MS) {
          found.push(`No restore from ${destination} was practised for more than a week.`)
        }
      }
      return found
    },
    look: async (signal) => {
      const looks = destinations.map((each) => look(each, signal))
      for (const result of await Promise.allSettled(looks)) {
        if (result.status === 'rejected' && !signal.aborted) {
          logger.debug('A destination could not be looked at', { code: codeOf(result.reason) })
        }
      }
    },
  }
}

function contentsStatus(state: ContentsState | undefined): DestinationStatus['contents'] {
  if (state === undefined) return null
  const { files, packs, bytes, waiting, sent, lastError } = state
  const [told, problem] = [waiting ?? null, lastError ?? null]
  return { files, objects: packs, bytes, waiting: told, sent, lastError: problem }
}

/** The policy of the configuration for every destination that keeps more than the latest. */
export function retentionOf(
  destinations: readonly Destination[],
  policy: RetentionPolicy | undefined,
): Readonly<Record<string, RetentionPolicy>> {
  if (policy === undefined) return {}
  const meant = destinations.filter(({ kind }) => DEFAULT_RETENTION[kind].days !== undefined)
  return Object.fromEntries(
    meant.map(({ kind, name }) => [name, { ...DEFAULT_RETENTION[kind], ...policy }]),
  )
}
