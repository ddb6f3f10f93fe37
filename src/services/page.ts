/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[]
  /** What to ask the next page after; null on the last one. */
  readonly next: string | null
}
