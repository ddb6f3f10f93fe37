/** What keeping backups costs by the month: an estimate from a table of prices that anybody can replace. */

/** US dollars. */
export interface Price {
  /** For a gigabyte (10^9 bytes) in a month. */
  readonly gigabyteMonth: number
  /** For a million calls that write or list. */
  readonly millionWrites: number
  /** For a million calls that read. */
  readonly millionReads: number
  /** What is free in each month. */
  readonly freeGigabytes: number
  readonly freeWrites: number
  readonly freeReads: number
}

export const PRICED = ['r2', 's3', 'gcs', 'postgres', 'ipfs', 'folder'] as const
export type Priced = (typeof PRICED)[number]
export type PriceTable = Readonly<Record<Priced, Price>>

const FREE = { freeGigabytes: 0, freeWrites: 0, freeReads: 0 } as const

/**
 * List prices. R2: https://developers.cloudflare.com/r2/pricing/ · S3: standard storage, us-east-1 · Google: standard
 * storage, which has 5 GB, 5,000 writes and 50,000 reads free · folder: a host's disk at 10 dollars for 10 GB.
 * Databases and pinning services are paid by plan, so that nothing is added for them.
 */
export const PRICES: PriceTable = {
  r2: { gigabyteMonth: 0.015, millionWrites: 4.5, millionReads: 0.36, ...FREE },
  s3: { gigabyteMonth: 0.023, millionWrites: 5, millionReads: 0.4, ...FREE },
  gcs: {
    gigabyteMonth: 0.02,
    millionWrites: 5,
    millionReads: 0.4,
    freeGigabytes: 5,
    freeWrites: 5_000,
    freeReads: 50_000,
  },
  postgres: { gigabyteMonth: 0, millionWrites: 0, millionReads: 0, ...FREE },
  ipfs: { gigabyteMonth: 0, millionWrites: 0, millionReads: 0, ...FREE },
  folder: { gigabyteMonth: 1, millionWrites: 0, millionReads: 0, ...FREE },
}

const GIGABYTE = 1e9
const MILLION = 1e6

/** Dollars for a month with so many bytes stored, and so many calls. */
export function monthlyCost(
  price: Price,
  {
    bytes,
    writes,
    reads,
  }: { readonly bytes: number; readonly writes: number; readonly reads: number },
): number {
  const over = (used: number, free: number): number => Math.max(0, used - free)
  const dollars =
    over(bytes / GIGABYTE, price.freeGigabytes) * price.gigabyteMonth +
    (over(writes, price.freeWrites) / MILLION) * price.millionWrites +
    (over(reads, price.freeReads) / MILLION) * price.millionReads
  return Math.round(dollars * 10_000) / 10_000
}

/** The row of the table for a destination. */
export function pricedAs(kind: Exclude<Priced, 'r2'>, name: string): Priced {
  return kind === 's3' && name.startsWith('r2 ') ? 'r2' : kind
}
