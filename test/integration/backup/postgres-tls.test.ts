import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import pg from 'pg'
import { systemClock } from '../../../src/common/clock.ts'
import { createPostgresDestination } from '../../../src/services/backup/destinations/postgres.ts'
import { type RealPostgres, startPostgres } from '../../helpers/backup/postgres.ts'

const never = new AbortController().signal

describe('backups in PostgreSQL over TLS, as the address says', function () {
  this.timeout(60_000)
  let server: RealPostgres | undefined

  before(async function () {
    if (spawnSync('openssl', ['version']).status !== 0) this.skip()
    server = await startPostgres({ tls: true })
  })
  after(() => server?.stop())

  /** Whether a connection with this address has TLS, in the server's own words. */
  const encrypted = async (query: string, host = '127.0.0.1'): Promise<unknown> => {
    const plain = (await server?.database()) ?? assert.fail()
    const url = plain.replace('127.0.0.1', host) + query
    const at = createPostgresDestination({ clock: systemClock }, { name: 'postgres test', url })
    const client = new pg.Client({ connectionString: plain })
    try {
      await at.put('net/one', Uint8Array.of(1), { signal: never })
      await client.connect()
      const { rows } = await client.query<{ ssl: boolean }>(
        `SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE application_name = 'cairn' AND datname = current_database()`,
      )
      return rows[0]?.ssl
    } finally {
      await client.end()
      await at.close()
    }
  }

  it('is used when the server has it and the address says nothing', async () => {
    assert.equal(await encrypted(''), true)
    assert.equal(await encrypted('?sslmode=prefer'), true)
  })

  it('is used or not as the address says', async () => {
    assert.equal(await encrypted('?sslmode=disable'), false)
    assert.equal(await encrypted('?sslmode=require'), true)
  })

  it('a certificate is checked when the address asks for it', async () => {
    const root = `&sslrootcert=${encodeURIComponent(server?.certificate ?? '')}`
    assert.equal(await encrypted(`?sslmode=verify-full${root}`), true)
    await assert.rejects(encrypted('?sslmode=verify-full'), {
      code: 'DESTINATION_UNREACHABLE',
      message: /DEPTH_ZERO_SELF_SIGNED_CERT/,
    })
    await assert.rejects(encrypted(`?sslmode=verify-full${root}`, 'localhost'), {
      code: 'DESTINATION_UNREACHABLE',
      message: /ERR_TLS_CERT_ALTNAME_INVALID/,
    })
  })
})
