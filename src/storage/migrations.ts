/**
 * The database's format and the way to it. The format stands in SQLite's `user_version`.
 *
 * A step is never changed once a program with it was released: data directories made by that program exist.
 * A module with tables of its own adds its statements to the newest step that is not released yet, or a new one.
 */
import { DETAILS_SCHEMA } from './details.ts'
import { storageError } from './errors.ts'
import { dropMadeRows } from './made-state.ts'
import { PINS_SCHEMA } from './pins.ts'
import { sumPlaces } from './record-places.ts'
import { CHAIN_SCHEMA, IMPORTS_INDEX, PEOPLE_INDEX, RECORD_STATES, SUMS } from './schema.ts'
import type { Database } from './sqlite.ts'

export interface Migration {
  /** The format after this step; steps count 1, 2, 3, … */
  readonly format: number
  migrate(db: Database): void
}

export const MIGRATIONS: readonly Migration[] = [
  { format: 1, migrate: (db) => db.exec(CHAIN_SCHEMA + PINS_SCHEMA) },
  // Format 1 knew neither private files nor more than the admissions of users and devices.
  {
    format: 2,
    migrate: (db) =>
      db.exec(
        `${DETAILS_SCHEMA} ${SUMS} DROP INDEX records_of_people; ${PEOPLE_INDEX} ${IMPORTS_INDEX}`,
      ),
  },
  {
    format: 3,
    migrate: (db) => {
      db.exec(RECORD_STATES)
      sumPlaces(db)
    },
  },
  // Files and versions that nothing has changed stand in `records` alone.
  { format: 4, migrate: dropMadeRows },
]

/** "CAIR": tells `file` and other programs whose database this is. */
export const APPLICATION_ID = 0x43414952

/** The format of an open database; 0: it is empty. */
export function formatOf(db: Database): number {
  return db.prepare<{ user_version: number }>('PRAGMA user_version').get()?.user_version ?? 0
}

/**
 * Brings a database to the newest format, each step in a transaction of its own.
 *
 * @returns the format before
 * @throws DATA_FORMAT_NEWER - nothing was changed
 */
export function migrate(db: Database, migrations: readonly Migration[] = MIGRATIONS): number {
  const found = formatOf(db)
  const known = migrations.at(-1)?.format ?? 0
  if (found > known) throw storageError('DATA_FORMAT_NEWER', { path: db.path, found, known })
  for (const step of migrations) {
    if (step.format <= found) continue
    db.transaction(() => {
      step.migrate(db)
      db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${step.format}`)
    })
  }
  return found
}
