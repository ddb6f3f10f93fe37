/** Reads what this program wrote itself: when that fails, the disk has changed it. */
import { messageOf } from '../common/errors.ts'
import type { Database } from './sqlite.ts'

/** What `read` gives. @throws DATABASE_DAMAGED when it throws anything */
export function readStored<T>(db: Database, what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw db.damaged(`${what}: ${messageOf(error)}`, error)
  }
}
