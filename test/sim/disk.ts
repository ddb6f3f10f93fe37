/** What survives the death of a simulated machine's process: a database and a journal. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '../../src/common/logger.ts'
import { openDatabase } from '../../src/storage/database.ts'
import type { Journal } from '../../src/storage/journal.ts'
import type { Database } from '../../src/storage/sqlite.ts'

export interface Disk {
  readonly db: Database
  readonly journal: Uint8Array[]
  close(): void
}

export function createDisk(): Disk {
  const { db } = openDatabase({ path: ':memory:', now: () => 0, logger: silentLogger })
  return { db, journal: [], close: () => db.close() }
}

/** The same bytes on another disk. */
export function copyDisk(disk: Disk): Disk {
  const folder = mkdtempSync(join(tmpdir(), 'cairn-sim-'))
  const path = join(folder, 'copy.sqlite')
  disk.db.exec(`VACUUM INTO '${path.replaceAll("'", "''")}'`)
  const { db } = openDatabase({ path, now: () => 0, logger: silentLogger })
  const close = (): void => {
    db.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return { db, journal: [...disk.journal], close }
}

/** Thrown where the process dies. */
export class Died extends Error {}

/** Called before and after everything that reaches the disk; throws `Died` when the process is dead. */
export type Gate = (side: 'before' | 'after') => void

/** The disk as one life of a process sees it: each write passes the gate. */
export function gated(
  disk: Disk,
  gate: Gate,
  alive: () => boolean,
): { db: Database; journal: Journal } {
  let depth = 0
  const write = <T>(run: () => T): T => {
    if (depth > 0) return run()
    gate('before')
    depth += 1
    let result: T
    try {
      result = run()
    } finally {
      depth -= 1
    }
    gate('after')
    return result
  }
  const db: Database = {
    path: disk.db.path,
    exec: (sql) => write(() => disk.db.exec(sql)),
    prepare: <Row>(sql: string) => {
      const statement = disk.db.prepare<Row>(sql)
      return { ...statement, run: (...values) => write(() => statement.run(...values)) }
    },
    transaction: (run) => write(() => disk.db.transaction(run)),
    join: (run) => write(() => disk.db.join(run)),
    onRollback: (listener) =>
      disk.db.onRollback((whole) => (alive() ? listener(whole) : undefined)),
    beforeCommit: (listener) => disk.db.beforeCommit(() => (alive() ? listener() : undefined)),
    damaged: (...about) => disk.db.damaged(...about),
    close: () => {},
  }
  const journal: Journal = {
    append: (...entries) => write(() => void disk.journal.push(...entries.map((it) => it.slice()))),
    entries: () => disk.journal,
    read: () => [...disk.journal],
    damagedBytes: 0,
    cutBytes: 0,
    close: () => {},
  }
  return { db, journal }
}
