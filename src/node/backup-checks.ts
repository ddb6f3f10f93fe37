/** What `doctor` says of backups: what is wrong with them, and what to do. */

import { MAX_AHEAD_MS } from '../chain/validate.ts'
import { spanText } from '../services/backup/clock-behind.ts'
import {
  type BackupsStatus,
  type DestinationStatus,
  NOT_CONFIGURED,
} from '../services/backup/overview.ts'
import type { Check } from './check.ts'

/** What to do about a code; what is not here says it in its own message. */
export const REMEDIES: Readonly<Record<string, string>> = {
  DESTINATION_UNREACHABLE:
    'See whether the service runs and whether this computer reaches it: address, port, firewall, TLS. For PostgreSQL: psql "$DATABASE_URL" -c "select 1". What is missing there is written by itself as soon as it answers.',
  DESTINATION_SLOW:
    'See whether the service is overloaded or the line is slow; other destinations are not held up by it.',
  DESTINATION_REFUSED:
    'Check the credentials and what they may do: PostgreSQL has to let the user create and write tables; a bucket has to allow get, put, list and delete; a key of Pinata needs pinFileToIPFS, pinList and unpin.',
  DESTINATION_FULL:
    'Make room there, or keep fewer backups: cairn config set backup_keep_last 5, then cairn backup prune',
  DESTINATION_TOO_LARGE: 'Let the service take objects of 4 MiB, or use another destination.',
  DESTINATION_VARIABLE:
    'Set the variable that is named, or take the others of this destination away.',
  DESTINATION_SETTING: 'Correct the variable that is named.',
  BACKUP_NO_RECIPIENT:
    'Start the device of yours that has the recovery kit, with this version or a newer one, and let the two meet: it says for whom backups are encrypted.',
}

/** Where no destination is set. */
export const UNCONFIGURED: Check = {
  name: 'backups',
  result: 'warning',
  says: NOT_CONFIGURED,
  remedy:
    'Set one destination (the second disk is the simplest: CAIRN_BACKUP_FOLDER=/mnt/data/backups), start again, then: cairn backup create && cairn backup drill',
}

/** Milliseconds in which what was never done is done by itself: it is due, and nobody has missed it. */
const VERIFY_DUE_MS = 86_400_000
const DRILL_DUE_MS: number = 7 * VERIFY_DUE_MS

/**
 * @param now - milliseconds UTC
 * @param since - when the data directory began, milliseconds UTC; until a day and a week later nothing is overdue
 */
export function backupChecks(status: BackupsStatus, now: number, since = 0): Check[] {
  const { configured, faults, destinations, key } = status
  const name = 'backups'
  if (!configured) {
    const warned = status.warnings.includes(NOT_CONFIGURED)
    return warned ? [UNCONFIGURED] : []
  }
  const checks: Check[] = faults.map(({ code, message }) => ({
    name,
    result: 'failed',
    says: message,
    remedy: REMEDIES[code] ?? null,
  }))
  if (key === 'none') {
    checks.push({
      name,
      result: 'ok',
      says: 'This device writes backups and cannot open them: their key is with the recovery kit. It compares what is stored, byte for byte; a device with the kit restores for practice.',
      remedy: null,
    })
  }
  for (const each of destinations) {
    const clock = clockCheck(each.destination, each.stored?.newest ?? 0, now)
    const found = destinationChecks(each, { hasKey: key !== 'none', now, since })
    checks.push(...found, ...(clock === undefined ? [] : [clock]))
  }
  return checks
}

/**
 * Compares the clock with the newest backup at a destination; undefined: nothing speaks against it.
 *
 * @param newest - milliseconds UTC, by the clock of whoever wrote it
 */
export function clockCheck(destination: string, newest: number, now: number): Check | undefined {
  if (newest - now <= MAX_AHEAD_MS) return undefined
  const behind = spanText(newest - now)
  const says = `it shows ${new Date(now).toISOString()}, ${behind} before the newest backup at ${destination} was made`
  return { name: 'clock', result: 'failed', says, remedy: CLOCK_REMEDY }
}

const CLOCK_REMEDY =
  'Set the clock, best by the network (NTP): with a clock that is behind, the newest blocks are refused and nothing can be restored. If this clock is right, the one of the computer that wrote the backup is ahead.'

function destinationChecks(
  status: DestinationStatus,
  {
    hasKey,
    now,
    since,
  }: { readonly hasKey: boolean; readonly now: number; readonly since: number },
): Check[] {
  const { destination, lastError, newest, verified, drilled, behind } = status
  const name = `backups to ${destination}`
  if (lastError !== null) {
    const says = `${lastError.message} Failures since the last success: ${status.failures}.`
    const result = newest === null ? 'failed' : 'warning'
    return [{ name, result, says, remedy: REMEDIES[lastError.code] ?? null }]
  }
  const checks: Check[] = []
  const proof = (what: string, found: typeof verified, within: number, remedy: string): void => {
    const due = since + within
    if (found === null && now < due) {
      const says = `not ${what} since this directory began; due by itself until ${new Date(due).toISOString()}`
      checks.push({ name, result: 'ok', says, remedy: null })
    } else if (found === null) {
      checks.push({ name, result: 'warning', says: `never ${what} yet`, remedy })
    } else if (found.code !== null) {
      checks.push({ name, result: 'failed', says: `last ${what} with ${found.code}`, remedy })
    }
  }
  if (newest === null) {
    const says = behind ? 'the first backup is on its way' : 'nothing was written there yet'
    return [{ name, result: 'warning', says, remedy: 'cairn backup create' }]
  }
  proof('verified', verified, VERIFY_DUE_MS, `cairn backup verify "${destination}"`)
  const drill = hasKey
    ? `cairn backup drill "${destination}"`
    : 'On the device of yours that has the recovery kit, with this destination: cairn backup drill'
  proof('restored for practice', drilled, DRILL_DUE_MS, drill)
  const { contents } = status
  if (contents?.lastError != null) {
    const { code, message } = contents.lastError
    const says = `contents of files do not get there: ${message}`
    checks.push({ name, result: 'warning', says, remedy: REMEDIES[code] ?? null })
  }
  if (checks.length > 0) return checks
  const by = typeof drilled?.by === 'string' ? ` by ${drilled.by}` : ''
  const says = `the newest is of ${new Date(newest.time).toISOString()}; it was read${hasKey ? '' : ' and compared'}, and restored for practice${by}`
  return [{ name, result: 'ok', says, remedy: null }]
}
