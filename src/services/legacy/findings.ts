/** Collects what is odd, within bounds. */
import type { LegacyKind } from './container.ts'
import type { LegacyFinding } from './types.ts'

/** Findings that are told one by one; of more, the number. */
const MAX_FINDINGS = 100
/** Letters of a value, and of a place, that a finding repeats. */
const MAX_SHOWN = 60
const MAX_PLACE = 100

export interface Findings {
  readonly list: readonly LegacyFinding[]
  readonly count: number
  of(part: LegacyKind): (place: string, says: string) => void
}

export function createFindings(): Findings {
  const list: LegacyFinding[] = []
  let count = 0
  return {
    list,
    get count() {
      return count
    },
    of: (part) => (place, says) => {
      count += 1
      if (list.length < MAX_FINDINGS) list.push({ part, place: short(place, MAX_PLACE), says })
    },
  }
}

/** A value as it may stand in a sentence. */
export function short(value: unknown, letters: number = MAX_SHOWN): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')
  const clean = text.toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd')
  return clean.length > letters ? `${clean.slice(0, letters)}…` : clean
}
