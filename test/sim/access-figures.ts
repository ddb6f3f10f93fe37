/** What many runs about access show together. */
import type { AccessOutcome } from './access.ts'

export interface AccessFigures {
  add(figures: AccessOutcome['figures']): void
  /** Keys that left, and how often a request was refused with a code. */
  readonly released: number
  refusals(code: string): number
  /** One line for each number of key holders. */
  lines(): string[]
}

interface Row {
  seeds: number
  allowed: number
  released: number
  withExcess: number
  excess: number
  most: number
  late: number
}

export function createAccessFigures(): AccessFigures {
  const rows = new Map<number, Row>()
  const refused = new Map<string, number>()
  let released = 0
  return {
    add: (figures) => {
      const row = rows.get(figures.holders) ?? {
        seeds: 0,
        allowed: 0,
        released: 0,
        withExcess: 0,
        excess: 0,
        most: 0,
        late: 0,
      }
      rows.set(figures.holders, row)
      row.seeds += 1
      row.allowed += figures.downloads
      row.released += figures.released
      row.withExcess += figures.excess > 0 ? 1 : 0
      row.excess += figures.excess
      row.most = Math.max(row.most, figures.excess)
      row.late += figures.late
      released += figures.released
      for (const [code, times] of Object.entries(figures.refused)) {
        refused.set(code, (refused.get(code) ?? 0) + times)
      }
    },
    get released() {
      return released
    },
    refusals: (code) => refused.get(code) ?? 0,
    lines: () => [
      ...[...rows]
        .sort(([a], [b]) => a - b)
        .map(
          ([holders, row]) =>
            `${holders} with the key: ${row.seeds} seeds, ${row.released} keys left of ${row.allowed} allowed; more than allowed in ${row.withExcess} seeds, ${row.most} at most, ${(row.excess / row.seeds).toFixed(3)} on average; ${row.late} answers under a revocation that had not reached the holder`,
        ),
      [...refused]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([code, times]) => `${code} ${times}`)
        .join(', '),
    ],
  }
}
