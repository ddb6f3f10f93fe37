/** What a bench says: figures, each beside a baseline of the same run where there is one, and the goal. */

export interface Figure {
  readonly name: string
  readonly value: number
  /** `MiB/s`, `ms`, `/s`, `MiB`, `s`, `` … */
  readonly unit: string
  /** Measured in the same run on the same machine. */
  readonly baseline?: { readonly name: string; readonly value: number; readonly unit: string }
  readonly goal?: Goal
}

export interface Goal {
  /** What is compared: the value itself, or the value over the baseline's. */
  readonly of: 'value' | 'ratio'
  readonly is: 'at least' | 'at most'
  readonly limit: number
}

export interface Report {
  readonly bench: string
  readonly figures: readonly Figure[]
}

export function ratioOf({ value, baseline }: Figure): number | undefined {
  return baseline === undefined ? undefined : value / baseline.value
}

/** Whether a figure reaches its goal; undefined: it has none. */
export function reaches(figure: Figure): boolean | undefined {
  const { goal, value } = figure
  if (goal === undefined) return undefined
  const compared = goal.of === 'value' ? value : (ratioOf(figure) ?? Number.NaN)
  return goal.is === 'at least' ? compared >= goal.limit : compared <= goal.limit
}

/** Three significant digits, more for large numbers. */
export function short(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en', { maximumFractionDigits: digits })
}

/** The middle one; of an even number of values the lower middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN
}

/** Figures as a table of aligned columns. */
export function table(reports: readonly Report[]): string {
  const head = ['bench', 'figure', 'value', 'baseline', 'ratio', 'goal', '']
  const rows = reports.flatMap(({ bench, figures }) =>
    figures.map((figure) => {
      const { name, value, unit, baseline, goal } = figure
      const ratio = ratioOf(figure)
      const reached = reaches(figure)
      return [
        bench,
        name,
        `${short(value)} ${unit}`.trim(),
        baseline === undefined
          ? ''
          : `${baseline.name}: ${short(baseline.value)} ${baseline.unit}`.trim(),
        ratio === undefined ? '' : short(ratio),
        goal === undefined
          ? ''
          : `${goal.of === 'ratio' ? 'ratio ' : ''}${goal.is} ${short(goal.limit)}`,
        reached === undefined ? '' : reached ? 'reached' : 'MISSED',
      ]
    }),
  )
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
