/** When the clock of this computer is behind a backup: how far, and of what time the backup is. */
import { decodeHeader, verifySeal } from '../../chain/codec.ts'
import { deviceIdOf } from '../../chain/ids.ts'
import { count } from '../../common/plural.ts'
import { backupError } from './errors.ts'
import type { Manifest } from './manifest.ts'
import type { SegmentBlock } from './segment.ts'

const MINUTE_MS = 60_000
const HOUR_MS: number = 60 * MINUTE_MS
const DAY_MS: number = 24 * HOUR_MS

/** BACKUP_CLOCK of a backup whose blocks lie in the future of this clock. */
export function clockBehind(
  manifest: Pick<Manifest, 'object' | 'time'>,
  blocks: readonly Pick<SegmentBlock, 'header'>[],
  now: number,
): Error {
  const last = blocks.at(-1)
  const future = blocks
    .map(({ header }) => decodeHeader(header).header)
    .find(({ time: sealed }) => sealed > now)
  const time = Math.max(
    manifest.time,
    last === undefined ? 0 : decodeHeader(last.header).header.time,
  )
  return backupError('BACKUP_CLOCK', {
    name: manifest.object,
    behind: spanText(time - now),
    milliseconds: time - now,
    now: timeText(now),
    time: timeText(time),
    // Who sealed the first of them; null: nobody did.
    miner: future !== undefined && verifySeal(future) ? deviceIdOf(future.miner) : null,
  })
}

/** `3 hours 5 minutes`, in the two largest units; less than a minute is one. */
export function spanText(ms: number): string {
  const minutes = Math.max(1, Math.floor(ms / MINUTE_MS))
  const days = Math.floor(minutes / (DAY_MS / MINUTE_MS))
  const hours = Math.floor(minutes / 60) % 24
  const parts: [number, string][] = [
    [days, 'day'],
    [hours, 'hour'],
    [minutes % 60, 'minute'],
  ]
  const first = parts.findIndex(([number]) => number > 0)
  return parts
    .slice(first, first + 2)
    .filter(([number]) => number > 0)
    .map(([number, unit]) => count(number, unit))
    .join(' ')
}

const timeText = (time: number): string => `${new Date(time).toISOString().slice(0, 19)}Z`
