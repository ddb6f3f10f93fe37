/** Durations and dates as a person types them. */
import { interfaceError } from '../errors.ts'

const UNITS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
}
/** A year of hundreds: what is longer has no end. */
const MAX_MS = 36_500 * 86_400_000

const DURATION = /^(\d{1,6})\s*(s|m|h|d|w)$/i
const DATE = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2}))?)?(Z)?$/

/** Milliseconds of `90s`, `30m`, `24h`, `7d`, `2w`. @throws USAGE, naming `option` */
export function parseDuration(text: string, option: string): number {
  const ms = durationOf(text)
  if (ms === undefined) {
    throw interfaceError('USAGE', {
      why: `${option} ${shown(text)}: allowed is a number with s, m, h, d or w behind it, for instance 24h or 7d.`,
    })
  }
  return ms
}

/**
 * The moment that `7d` (from `now` on), `friday` (the end of the next one, today too), `2026-12-24` (the end of that day here) or `2026-12-24 18:00` names, with a
 * `Z` behind it in UTC.
 *
 * @throws USAGE, naming `option`: none of these, no day of the calendar, or over already
 */
export function parseExpiry(text: string, option: string, now: number): number {
  const ms = durationOf(text)
  if (ms !== undefined) return now + ms
  const at = weekdayOf(text, now) ?? dateOf(text)
  if (at === undefined) {
    throw interfaceError('USAGE', {
      why: `${option} ${shown(text)}: allowed are a duration (24h, 7d, 2w), a day of the week (friday), a date (2026-12-24) and a date with a time (2026-12-24 18:00).`,
    })
  }
  if (at <= now) {
    throw interfaceError('USAGE', { why: `${option} ${shown(text)} is over already.` })
  }
  return at
}

function durationOf(text: string): number | undefined {
  const match = DURATION.exec(text.trim())
  if (match === null) return undefined
  const ms = Number(match[1]) * (UNITS[(match[2] ?? '').toLowerCase()] ?? 0)
  return ms > 0 && ms <= MAX_MS ? ms : undefined
}

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']

function weekdayOf(text: string, now: number): number | undefined {
  const day = WEEKDAYS.indexOf(text.trim().toLowerCase())
  if (day === -1) return undefined
  const today = new Date(now)
  const ahead = (day - today.getDay() + WEEKDAYS.length) % WEEKDAYS.length
  return new Date(
    today.getFullYear(),
    today.getMonth(),
    today.getDate() + ahead,
    23,
    59,
    59,
  ).getTime()
}

function dateOf(text: string): number | undefined {
  const match = DATE.exec(text.trim())
  if (match === null) return undefined
  const [year = 0, month = 0, day = 0] = match.slice(1, 4).map(Number)
  const hasTime = match[4] !== undefined
  const [hour, minute, second] = hasTime
    ? [Number(match[4]), Number(match[5]), Number(match[6] ?? 0)]
    : [23, 59, 59]
  if (hour > 23 || minute > 59 || second > 59) return undefined
  const date =
    match[7] === undefined
      ? new Date(year, month - 1, day, hour, minute, second)
      : new Date(Date.UTC(year, month - 1, day, hour, minute, second))
  // February has no 30th: the calendar would make March of it.
  const real = match[7] === undefined ? date.getDate() : date.getUTCDate()
  return real === day && month >= 1 && month <= 12 ? date.getTime() : undefined
}

function shown(text: string): string {
  return `"${text.slice(0, 40)}"`
}
