/** All that a store holds, for comparison: without numbers, which are the order of arrival. */
import type { Database } from '../../../src/storage/sqlite.ts'

/** What hangs on the best chain alone. */
export function dumpChain(db: Database): Record<string, unknown[]> {
  return rows(db, {
    main: 'SELECT main.height, id FROM main JOIN blocks ON number = block ORDER BY 1',
    undo: 'SELECT id, data FROM undo JOIN blocks ON number = block ORDER BY 1',
    state: 'SELECT key, value FROM state ORDER BY 1',
    confirmed: `SELECT id, height, place, outcome, code FROM records WHERE height IS NOT NULL
      ORDER BY height, place`,
  })
}

/** The read models. */
export function dumpProjections(db: Database): Record<string, unknown[]> {
  return rows(db, {
    covers: 'SELECT version, id FROM covers JOIN records ON number = record ORDER BY 1, 2',
    heads: 'SELECT * FROM file_heads ORDER BY 1, 2',
    files: `SELECT file, owner, name, search, id, version, heads, pending FROM files JOIN records ON number = shown
      ORDER BY 1`,
  })
}

/** What is known of records, wherever they stand. */
export function dumpRecords(db: Database): Record<string, unknown[]> {
  return rows(db, {
    records: 'SELECT id, own, ever, in_body, received FROM records ORDER BY 1',
    heads: `SELECT h.device, h.sequence, id FROM record_heads h JOIN records ON number = record ORDER BY 1, 2, 3`,
  })
}

function rows(db: Database, queries: Record<string, string>): Record<string, unknown[]> {
  return Object.fromEntries(
    Object.entries(queries).map(([name, sql]) => [name, db.prepare(sql).all()]),
  )
}
