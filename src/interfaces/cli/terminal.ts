/** Where a command reads and writes, and a progress bar. */

export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

export type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean }

export interface Terminal {
  /** Missing: there is nothing to read from. */
  readonly input?: Input
  readonly out: Output & NodeJS.WritableStream
  readonly err: Output
}

export interface ProgressBar {
  update(bytes: number, total: number | null): void
  /** Removes the bar. */
  end(): void
}

/** Milliseconds between two drawings. */
const DRAW_MS = 100
const BAR_WIDTH = 24

/** A bar on `output` when that is a terminal, nothing otherwise. */
export function createProgressBar(
  output: Output,
  label: string,
  show: (bytes: number) => string,
  now: () => number = Date.now,
): ProgressBar {
  if (output.isTTY !== true) return { update: () => {}, end: () => {} }
  const started = now()
  let drawn = Number.NEGATIVE_INFINITY
  return {
    update: (bytes, total) => {
      if (now() - drawn < DRAW_MS && bytes !== total) return
      drawn = now()
      const rate = `${show((bytes * 1000) / Math.max(1, drawn - started))}/s`
      const line =
        total === null || total === 0
          ? `${label}  ${show(bytes)}  ${rate}`
          : `${label}  ${bar(bytes / total)}  ${show(bytes)} of ${show(total)}  ${rate}`
      output.write(`\r\x1b[K${line.slice(0, (output.columns ?? 80) - 1)}`)
    },
    end: () => void output.write('\r\x1b[K'),
  }
}

function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * BAR_WIDTH)
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_WIDTH - full)}] ${Math.floor(Math.min(1, share) * 100)}%`
}
