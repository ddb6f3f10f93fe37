/**
 * Which content stays on this disk: pins by root, in the database, and leases for what is on its way.
 *
 * A pin says that all blocks of a root were here and flushed when it was made. A lease is taken in the database
 * before the first block is looked for, and keeps the sweep (pins-sweep.ts) from what its holder finds or
 * writes. There are no counters per block: what a root needs is read from its nodes when it matters, so that
 * nothing can count wrong, and a pin costs one row for a file of any size.
 */
import type { CID } from 'multiformats/cid'
import type { ContentId, FileId } from '../chain/ids.ts'
import { codeOf } from '../common/errors.ts'
import type { ContentBlockstore } from './blockstore.ts'
import { contentError } from './blockstore-errors.ts'
import { createDamagedRoots } from './damaged-roots.ts'
import { dagBlocks } from './pins-walk.ts'
import type { Database } from './sqlite.ts'

/**
 * pins           roots whose content is complete and stays
 * leases         work in progress; root null: a root is being made, and is not known yet
 * local_choices  what the person of this device wants of a file's bytes here: `kept` or `freed`
 * content_book   one row: since when this database knows what is wanted of the content beside it
 */
export const PINS_SCHEMA = `
CREATE TABLE pins (root TEXT PRIMARY KEY, since INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE leases (number INTEGER PRIMARY KEY, root TEXT, since INTEGER NOT NULL);
CREATE TABLE local_choices (file TEXT PRIMARY KEY, choice TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE content_book (since INTEGER NOT NULL);
`

/** How long what a broken-off fetch has brought waits for its continuation, milliseconds: a week's absence. */
export const LEASE_KEPT_MS: number = 7 * 24 * 3600 * 1000
/** Checks whether a block is there that run at a time. */
const CHECKS_AT_ONCE = 64

export type LocalChoice = 'kept' | 'freed'

export interface Lease {
  /** Idempotent. What is not pinned by then may be collected. */
  release(): void
  /** Of a root: ends it, and what is here of the root waits a week for the next try. */
  suspend(): void
}

export interface Pins {
  /**
   * Before the first block is looked for or written. With a root, what is here of it is kept, also after a
   * restart, until the lease is released or a week old; without one, everything that is put meanwhile.
   */
  lease(root?: ContentId): Lease
  /**
   * Pins a root after making sure that each of its blocks is here, and flushed.
   *
   * @throws CONTENT_MISSING, CONTENT_DAMAGED: nothing is pinned; the signal's reason
   */
  pin(root: ContentId, signal: AbortSignal): Promise<void>
  /** Pins a root of which the caller has just put and flushed every block under a lease that is not released. */
  pinFlushed(root: ContentId): void
  /** The bytes go at a later sweep, unless another root needs them. */
  unpin(root: ContentId): void
  isPinned(root: ContentId): boolean
  /** Pinned, and nothing of it is known to be damaged. */
  isWhole(root: ContentId): boolean
  /** Pinned roots with the time of their pin (milliseconds UTC), by text, after `after`. */
  pinned(limit: number, after?: ContentId): { readonly root: ContentId; readonly since: number }[]
  setChoice(file: FileId, choice: LocalChoice | undefined): void
  choice(file: FileId): LocalChoice | undefined
}

/** What the sweep needs beside. */
export interface PinBook extends Pins {
  /** Roots under a lease. */
  leasedRoots(): ContentId[]
  /** When the oldest lease without a root was taken; undefined: there is none. */
  oldestOpenLease(): number | undefined
  /** When this database was made, milliseconds UTC. What is older came here under another one, now lost. */
  since(): number
  /** Forgets leases of fetches that nobody continued. */
  dropOldLeases(before: number): void
  /** Runs `job` while no pin is being checked, and no pin is checked while it runs. */
  alone<T>(job: () => Promise<T>): Promise<T>
}

export interface PinsComponents {
  readonly db: Database
  readonly store: Pick<ContentBlockstore, 'bytes' | 'has' | 'flush' | 'damagedBlocks'>
  /** Milliseconds UTC. */
  readonly now: () => number
}

/** Leases without a root that a former process left are dropped: what it was adding, it did not finish. */
export function createPins({ db, store, now }: PinsComponents): PinBook {
  db.exec('DELETE FROM leases WHERE root IS NULL')
  db.prepare('INSERT INTO content_book SELECT ? WHERE NOT EXISTS (SELECT 1 FROM content_book)').run(
    now(),
  )
  const book = db.prepare<{ since: number }>('SELECT since FROM content_book')
  const addLease = db.prepare<{ number: number }>(
    'INSERT INTO leases (root, since) VALUES (?, ?) RETURNING number',
  )
  // One row for a root, however often its fetch is tried.
  const renewLease = db.prepare<{ number: number }>(
    'UPDATE leases SET since = ?2 WHERE root = ?1 RETURNING number',
  )
  const endLease = db.prepare('DELETE FROM leases WHERE number = ?')
  const endLeasesOf = db.prepare('DELETE FROM leases WHERE root = ?')
  const leased = db.prepare<{ root: ContentId }>(
    'SELECT DISTINCT root FROM leases WHERE root IS NOT NULL',
  )
  const dropOld = db.prepare('DELETE FROM leases WHERE root IS NOT NULL AND since < ?')
  const add = db.prepare('INSERT OR REPLACE INTO pins (root, since) VALUES (?, ?)')
  const remove = db.prepare('DELETE FROM pins WHERE root = ?')
  const one = db.prepare<{ since: number }>('SELECT since FROM pins WHERE root = ?')
  const list = db.prepare<{ root: ContentId; since: number }>(
    'SELECT root, since FROM pins WHERE root > ? ORDER BY root LIMIT ?',
  )
  const readChoice = db.prepare<{ choice: LocalChoice }>(
    'SELECT choice FROM local_choices WHERE file = ?',
  )
  const writeChoice = db.prepare(
    'INSERT OR REPLACE INTO local_choices (file, choice) VALUES (?, ?)',
  )
  const clearChoice = db.prepare('DELETE FROM local_choices WHERE file = ?')

  /** Holders of each lease in this process. */
  const live = new Map<number, number>()
  /** Leases without a root, with the time of each: of this process all of them. */
  const open = new Map<number, number>()
  let turn: Promise<unknown> = Promise.resolve()
  const alone = <T>(job: () => Promise<T>): Promise<T> => {
    const result = turn.then(job)
    turn = result.catch(() => {})
    return result
  }
  const record = (root: ContentId): void =>
    db.transaction(() => {
      add.run(root, now())
      endLeasesOf.run(root)
    })
  const check = async (root: ContentId, signal: AbortSignal): Promise<void> => {
    const checks = new Set<Promise<void>>()
    const isHere = async (cid: CID): Promise<void> => {
      if (!(await store.has(cid))) throw contentError('CONTENT_MISSING', { cid: cid.toString() })
    }
    try {
      for await (const { cid } of dagBlocks(root, (node) => store.bytes(node))) {
        signal.throwIfAborted()
        const running = isHere(cid).finally(() => checks.delete(running))
        running.catch(() => {})
        checks.add(running)
        if (checks.size >= CHECKS_AT_ONCE) await Promise.race(checks)
      }
      await Promise.all(checks)
    } finally {
      await Promise.allSettled(checks)
    }
  }

  const damagedRoots = createDamagedRoots({
    store,
    read: readIfHere(store),
    pinned: (limit, after) => list.all(after ?? '', limit),
  })
  const pins: PinBook = {
    lease: (root) => {
      const since = now()
      const renewed = root === undefined ? undefined : renewLease.get(root, since)
      const number = (renewed ?? addLease.get(root ?? null, since))?.number ?? 0
      live.set(number, (live.get(number) ?? 0) + 1)
      if (root === undefined) open.set(number, since)
      let held = true
      const end = (last: () => void): void => {
        if (!held) return
        held = false
        const holders = (live.get(number) ?? 1) - 1
        if (holders > 0) live.set(number, holders)
        else live.delete(number)
        if (holders === 0) last()
      }
      const release = (): void =>
        end(() => {
          open.delete(number)
          try {
            endLease.run(number)
          } catch (error) {
            // Its row goes at the next start: a full disk must not keep what filled it.
            if (root !== undefined || codeOf(error) !== 'STORAGE_FULL') throw error
          }
        })
      return { release, suspend: root === undefined ? release : () => end(() => {}) }
    },
    pin: async (root, signal) => {
      const lease = pins.lease(root)
      try {
        // A sweep that began before this lease may not know the root.
        await alone(async () => {
          await check(root, signal)
          await store.flush()
          record(root)
        })
      } finally {
        lease.release()
      }
    },
    pinFlushed: record,
    unpin: (root) => void remove.run(root),
    isPinned: (root) => one.get(root) !== undefined,
    isWhole: (root) => pins.isPinned(root) && !damagedRoots.has(root),
    pinned: (limit, after) => list.all(after ?? '', limit),
    setChoice: (file, choice) => {
      if (choice === undefined) clearChoice.run(file)
      else writeChoice.run(file, choice)
    },
    choice: (file) => readChoice.get(file)?.choice,
    leasedRoots: () => leased.all().map((row) => row.root),
    oldestOpenLease: () => (open.size === 0 ? undefined : Math.min(...open.values())),
    since: () => book.get()?.since ?? now(),
    dropOldLeases: (before) => void dropOld.run(before),
    alone,
  }
  return pins
}

/** The bytes of a node for a walk that goes on past what is missing. @throws disk errors */
export function readIfHere(store: Pick<ContentBlockstore, 'bytes'>) {
  return async (cid: CID): Promise<Uint8Array | undefined> => {
    try {
      return await store.bytes(cid)
    } catch (error) {
      const code = codeOf(error)
      if (code === 'CONTENT_MISSING' || code === 'CONTENT_DAMAGED') return undefined
      throw error
    }
  }
}
