/** What `doctor` finds. */

/** One finding of `doctor`. */
export interface Check {
  readonly name: string
  readonly result: 'ok' | 'warning' | 'failed'
  readonly says: string
  /** What to do; null when there is nothing to do. */
  readonly remedy: string | null
}
