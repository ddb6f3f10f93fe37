/** Which headers go into a certificate: all that connect what it cites with the tip, or as many as it may hold. */

/** Both ends included. */
export interface Run {
  readonly from: number
  readonly to: number
}

/** Blocks between the one that the author knew and the one with the record; further away it is left out. */
const MAX_SEEN_BEFORE = 2_000

export interface RunsWanted {
  readonly subject: number
  readonly seen: number | undefined
  /** Heights whose headers are needed. */
  readonly others: readonly number[]
  readonly tip: number
  /** Headers before a run that let the rules be checked on its first one. */
  readonly ancestors: number
  /** Headers in all. */
  readonly limit: number
}

/** Ascending, apart from each other; heights from 1 up. */
export function runsOf({ subject, seen, others, tip, ancestors, limit }: RunsWanted): Run[] {
  const lowest = Math.min(subject, ...others)
  const first = Math.max(1, lowest - ancestors)
  if (tip - first < limit) return [{ from: first, to: tip }]
  const near = seen !== undefined && seen > 0 && subject - seen <= MAX_SEEN_BEFORE
  const begin = Math.max(1, Math.min(subject - ancestors, near ? seen : subject))
  const lone = others
    .filter((height) => height < begin)
    .map((height) => ({ from: Math.max(1, height - ancestors), to: height }))
  const left = limit - joined(lone).reduce((sum, { from, to }) => sum + to - from + 1, 0)
  const end = Math.min(tip, begin + Math.max(subject - begin + 1, left / 2) - 1)
  const late = others
    .filter((height) => height > end)
    .map((height) => ({ from: Math.max(1, height - ancestors), to: height }))
  return joined([...lone, { from: begin, to: Math.floor(end) }, ...late])
}

/** Runs that touch or overlap as one. */
function joined(runs: readonly Run[]): Run[] {
  const result: Run[] = []
  for (const run of [...runs].sort((a, b) => a.from - b.from)) {
    const last = result.at(-1)
    if (last !== undefined && run.from <= last.to + 1) {
      result[result.length - 1] = { from: last.from, to: Math.max(last.to, run.to) }
    } else result.push(run)
  }
  return result
}
