/** Words that all parts of the API share. Units and promises: api.ts. */

/** A person or device with the name that people know it by; the name is null when it is not known here. */
export interface Named {
  readonly id: string
  readonly name: string | null
}

/** Where a record stands. */
export interface RecordState {
  /** `pending`: stored here, in no block of the best chain. `stranded`: cannot enter it as it is. */
  readonly status: 'pending' | 'confirmed' | 'stranded'
  /** Null while it is not confirmed. `waiting`: a record that it names is not in the chain yet. */
  readonly outcome: 'applied' | 'rejected' | 'waiting' | null
  /** Reason code of a rejection. */
  readonly code: string | null
  readonly height: number | null
  readonly block: string | null
}

/** `next` is null on the last page. */
export interface Page<T> {
  readonly items: readonly T[]
  readonly next: string | null
}
