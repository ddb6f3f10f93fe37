/**
 * Backups in PostgreSQL: one row of `blockchain_backups` for each object.
 *
 * `backup_data` is base64 in a text column: so the table says what its columns have always said, `LENGTH` works, and
 * every SQL tool shows and copies a row; it costs a third more room than bytes would. What the server stored is
 * proven by the SHA-256 that the server computes of it.
 */
import type { Clock } from '../../../common/clock.ts'
import type { Destination } from '../destination.ts'
import { backupError } from '../errors.ts'
import { isObjectName, objectName } from '../object-name.ts'
import { MAX_OBJECT_BYTES, malformed } from './answers.ts'
import { digest, mustEqual, mustFit } from './digests.ts'
import { connectPostgres, type PostgresLink } from './postgres-connection.ts'
import { prepareTable } from './postgres-schema.ts'

export interface PostgresInit {
  /** For people and logs, without the password: `postgres host/database`. */
  readonly name: string
  /** `postgresql://user:password@host:port/database?sslmode=…` */
  readonly url: string
}

/** Objects that are listed: a guard against a table that is not ours. */
const MAX_LISTED = 1_000_000
/** Characters of a label: what a varchar column of the table may hold. */
const MAX_LABEL = 200

export function createPostgresDestination(
  components: { readonly clock: Clock },
  { name: destination, url }: PostgresInit,
): Destination {
  const { clock } = components
  const link: PostgresLink = connectPostgres({ clock }, { url, destination })
  let ready = false

  /** One statement, after the table is as it has to be. */
  const run = async (
    text: string,
    values: readonly unknown[],
    signal: AbortSignal,
    object?: { readonly name: string; readonly size: number },
  ): Promise<readonly Readonly<Record<string, unknown>>[]> => {
    try {
      if (!ready) await prepareTable(link, signal)
      ready = true
      return await link.query(text, values, signal, object)
    } catch (error) {
      // The table may have gone with the database that was put in the place of this one.
      ready = false
      throw error
    }
  }

  return {
    kind: 'postgres',
    name: destination,
    put: async (name, bytes, { signal, label, by }) => {
      objectName(name)
      mustFit(bytes, destination, name)
      const now = new Date(clock.now()).toISOString()
      const shown = (label ?? `Auto-backup ${now}`).slice(0, MAX_LABEL)
      const sha256 = digest(bytes, 'sha256', 'hex')
      const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')
      const [row] = await run(
        `INSERT INTO blockchain_backups (name, filename, backup_data, object, size, sha256, created_by)
         VALUES ($1, $2, $3, $6, $4, $5, $7)
         ON CONFLICT (object) DO UPDATE SET name = excluded.name, backup_data = excluded.backup_data,
           size = excluded.size, sha256 = excluded.sha256, stored_at = clock_timestamp()
         RETURNING encode(sha256(decode(backup_data, 'base64')), 'hex') AS stored`,
        [shown, name, base64, bytes.length, sha256, name, by ?? null],
        signal,
        { name, size: bytes.length },
      )
      if (typeof row?.stored !== 'string')
        throw malformed(destination, 'no digest of what it stored')
      mustEqual(row.stored, sha256, { destination, name })
    },
    get: async (name, signal, maxBytes = MAX_OBJECT_BYTES) => {
      objectName(name)
      const [row] = await run(
        `SELECT sha256, CASE WHEN length(backup_data) <= $2 THEN backup_data END AS data
         FROM blockchain_backups WHERE object = $1`,
        [name, Math.ceil(maxBytes / 3) * 4],
        signal,
      )
      if (row === undefined) throw backupError('OBJECT_NOT_FOUND', { destination, name })
      const { data, sha256 } = row
      if (typeof data !== 'string' || typeof sha256 !== 'string') {
        throw malformed(destination, 'a row without its data')
      }
      const bytes = new Uint8Array(Buffer.from(data, 'base64'))
      mustEqual(digest(bytes, 'sha256', 'hex'), sha256, { destination, name })
      return bytes
    },
    list: async (prefix, signal) => {
      const rows = await run(
        `SELECT object, size, (extract(epoch FROM stored_at) * 1000)::bigint::text AS stored
         FROM blockchain_backups WHERE object IS NOT NULL AND left(object, length($1)) = $1
         ORDER BY stored_at, object LIMIT $2`,
        [prefix, MAX_LISTED],
        signal,
      )
      return rows.flatMap(({ object, size, stored }) => {
        const isOurs =
          typeof object === 'string' && typeof size === 'number' && typeof stored === 'string'
        return isOurs && isObjectName(object)
          ? [{ name: object, size, stored: Number(stored) }]
          : []
      })
    },
    remove: async (name, signal) => {
      await run('DELETE FROM blockchain_backups WHERE object = $1', [objectName(name)], signal)
    },
    close: () => link.close(),
  }
}
