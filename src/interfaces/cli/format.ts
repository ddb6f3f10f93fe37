/** Sizes, times and tables for people. */
import { count } from '../../common/plural.ts'

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const

/** `1.5 MB`; powers of 1000, as disks and file managers count. */
export function size(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit += 1
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1
  return `${value.toFixed(digits)} ${UNITS[unit]}`
}

/** `2026-11-21 14:05:09` of the local clock; for files of scripts there is `--json`. */
export function time(ms: number): string {
  const date = new Date(ms)
  if (Number.isNaN(date.getTime())) return '(no time)'
  const two = (value: number): string => String(value).padStart(2, '0')
  return (
    `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  )
}

/** `3 min`, `2 h`, `5 days`: the largest unit that fits. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 90) return `${seconds} s`
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`
  return count(Math.round(seconds / 86_400), 'day')
}

/** Letters of an id in a list: enough to be named again, where the common beginning does not count. */
const SHORT_ID = 18

/** The beginning of an id; devices by their end, where they differ. */
export function shortId(id: string): string {
  return id.startsWith('12D3Koo') ? `…${id.slice(-8)}` : id.slice(0, SHORT_ID)
}

/** Text that came from others, for a terminal: nothing in it can move the cursor or change colours. */
export function printable(text: string): string {
  return text.toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd')
}

/** Rows under a heading, columns aligned; numbers (cells that begin with a digit) are not treated apart. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heading, ...rows].map((row) => row.map(printable))
  const widths = heading.map((_, column) => Math.max(...all.map((row) => width(row[column] ?? ''))))
  return all
    .map((row) =>
      row
        .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - width(cell)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Lines `key  value`, aligned; entries without a value are left out. */
export function fields(entries: readonly (readonly [string, string | undefined])[]): string {
  const shown = entries.filter((entry): entry is [string, string] => entry[1] !== undefined)
  const widest = Math.max(0, ...shown.map(([key]) => key.length))
  return shown.map(([key, value]) => `${key.padEnd(widest)}  ${printable(value)}`).join('\n')
}

const WIDE =
  /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}/u

/** Columns that a text takes in a terminal, nearly. */
function width(text: string): number {
  let columns = 0
  for (const { segment } of new Intl.Segmenter().segment(text))
    columns += WIDE.test(segment) ? 2 : 1
  return columns
}
