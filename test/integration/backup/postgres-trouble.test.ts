import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import pg from 'pg'
import { systemClock } from '../../../src/common/clock.ts'
import type { Destination } from '../../../src/services/backup/destination.ts'
import { createPostgresDestination } from '../../../src/services/backup/destinations/postgres.ts'
import { type RealPostgres, startPostgres } from '../../helpers/backup/postgres.ts'

const never = new AbortController().signal
const bytes = Uint8Array.of(1, 2, 3)

describe('backups in PostgreSQL: what a database can be like', function () {
  this.timeout(60_000)
  let server: RealPostgres
  const destinations: Destination[] = []

  const open = (url: string): Destination => {
    const name = 'postgres test'
    const destination = createPostgresDestination({ clock: systemClock }, { name, url })
    destinations.push(destination)
    return destination
  }
  const sql = async (url: string, text: string): Promise<readonly Record<string, unknown>[]> => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    try {
      return (await client.query<Record<string, unknown>>(text)).rows
    } finally {
      await client.end()
    }
  }

  before(async () => {
    server = await startPostgres()
  })
  after(() => server.stop())
  afterEach(async () => {
    for (const each of destinations.splice(0)) await each.close()
  })

  it('C4 the table has the columns that everybody knows, and text that is base64', async () => {
    const url = await server.database()
    const at = open(url)
    const label = 'Manual backup before the update'
    await at.put('net/one', bytes, { signal: never, label, by: 7 })
    await at.put('net/two', bytes, { signal: never })
    const rows = await sql(
      url,
      `SELECT id, name, filename, backup_data, pg_typeof(backup_data)::text AS type, created_by,
         created_at > now() - interval '1 minute' AS fresh FROM blockchain_backups ORDER BY id`,
    )
    assert.deepEqual(rows[0], {
      id: 1,
      name: 'Manual backup before the update',
      filename: 'net/one',
      backup_data: 'AQID',
      type: 'text',
      created_by: 7,
      fresh: true,
    })
    assert.equal(rows[1]?.created_by, null)
    assert.match(String(rows[1]?.name), /^Auto-backup \d{4}-\d\d-\d\dT[\d:.]+Z$/)
    assert.deepEqual(await open(url).get('net/two', never), bytes)
  })

  it('passes over rows that are no objects', async () => {
    const url = await server.database()
    const at = open(url)
    await at.put('net/one', bytes, { signal: never })
    for (const name of ['../../etc/passwd', 'net/one (1)', 'net/\u001b[2J', 'net/nothing']) {
      const row = `'x', 'x', 'AQID', '${name}'`
      await sql(
        url,
        `INSERT INTO blockchain_backups (name, filename, backup_data, object) VALUES (${row})`,
      )
    }
    assert.deepEqual(
      (await at.list('', never)).map(({ name }) => name),
      ['net/one'],
    )
  })

  it('notices that something else was stored than was given', async () => {
    const url = await server.database()
    const at = open(url)
    await at.put('net/one', bytes, { signal: never })
    await sql(
      url,
      `CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql
         AS $$ BEGIN NEW.backup_data := 'BAUG'; RETURN NEW; END $$;
       CREATE TRIGGER change BEFORE INSERT ON blockchain_backups
         FOR EACH ROW EXECUTE FUNCTION change()`,
    )
    await assert.rejects(at.put('net/two', bytes, { signal: never }), {
      code: 'DESTINATION_DIFFERS',
    })
  })

  it('C4 the table of a forerunner is used, and its rows stay as they are', async () => {
    const url = await server.database()
    await sql(
      url,
      `CREATE TABLE blockchain_backups (id serial PRIMARY KEY, name varchar(200) NOT NULL,
         filename varchar(255) NOT NULL, backup_data text NOT NULL, created_at timestamp DEFAULT now(),
         created_by integer);
       INSERT INTO blockchain_backups (name, filename, backup_data) VALUES ('old', 'old.enc', 'abc')`,
    )
    const at = open(url)
    await at.put('net/one', bytes, { signal: never })
    assert.deepEqual(await at.get('net/one', never), bytes)
    assert.deepEqual(
      (await at.list('', never)).map(({ name }) => name),
      ['net/one'],
    )
    await at.remove('old.enc', never)
    const [old] = await sql(url, `SELECT backup_data, object FROM blockchain_backups WHERE id = 1`)
    assert.deepEqual(old, { backup_data: 'abc', object: null })
  })

  it('two nodes that make the table at the same time do not disturb each other', async () => {
    const url = await server.database()
    const all = Array.from({ length: 4 }, () => open(url))
    await Promise.all(all.map((at, n) => at.put(`net/${n}`, bytes, { signal: never })))
    assert.equal((await all[0]?.list('', never))?.length, 4)
  })

  it('a user who may not make tables does with one that was made for it', async () => {
    const url = await server.database()
    await open(url).put('net/one', bytes, { signal: never })
    await sql(
      url,
      `CREATE ROLE writer LOGIN PASSWORD 'written-down';
       REVOKE CREATE ON SCHEMA public FROM PUBLIC;
       GRANT SELECT, INSERT, UPDATE, DELETE ON blockchain_backups TO writer`,
    )
    const as = (address: string): string => {
      const changed = new URL(address)
      changed.username = 'writer'
      changed.password = 'written-down'
      return changed.href
    }
    const at = open(as(url))
    await at.put('net/two', bytes, { signal: never })
    assert.deepEqual(await at.get('net/one', never), bytes)
    const empty = await server.database()
    await sql(empty, 'REVOKE CREATE ON SCHEMA public FROM PUBLIC')
    await assert.rejects(open(as(empty)).put('net/two', bytes, { signal: never }), {
      code: 'DESTINATION_REFUSED',
      message: /SQLSTATE 42501/,
    })
  })

  it('a wrong password, user and database are refused, and not repeated', async () => {
    const url = await server.database()
    const wrong = [
      url.replace('secret-of-postgres', 'wrong-secret'),
      url.replace('postgres:secret', 'nobody:secret'),
      url.replace(/cairn\d+$/, 'nowhere'),
    ]
    for (const each of wrong) {
      await assert.rejects(open(each).list('', never), (error: unknown) => {
        assert.ok(error instanceof Error && 'code' in error && 'details' in error)
        assert.equal(error.code, 'DESTINATION_REFUSED')
        assert.doesNotMatch(`${error.message}${JSON.stringify(error.details)}`, /secret/)
        return true
      })
    }
  })

  it('connects again after the server ended its connections', async () => {
    const url = await server.database()
    const at = open(url)
    await at.put('net/one', bytes, { signal: never })
    await sql(
      url,
      `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
       WHERE application_name = 'cairn' AND datname = current_database()`,
    )
    assert.deepEqual(await at.get('net/one', never), bytes)
  })

  it('makes the table again in a database that was emptied', async () => {
    const url = await server.database()
    const at = open(url)
    await at.put('net/one', bytes, { signal: never })
    await sql(url, 'DROP TABLE blockchain_backups')
    await assert.rejects(at.get('net/one', never), { code: 'DESTINATION_FAILED' })
    await assert.rejects(at.get('net/one', never), { code: 'OBJECT_NOT_FOUND' })
    await at.put('net/one', bytes, { signal: never })
  })

  it('notices other bytes than it stored', async () => {
    const url = await server.database()
    const at = open(url)
    await at.put('net/one', bytes, { signal: never })
    await sql(url, `UPDATE blockchain_backups SET backup_data = 'AQIE'`)
    await assert.rejects(at.get('net/one', never), { code: 'DESTINATION_DIFFERS' })
  })

  it('waits for a lock until it is told to stop, and goes on afterwards', async () => {
    const url = await server.database()
    const at = open(url)
    await at.put('net/one', bytes, { signal: never })
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query('BEGIN; LOCK TABLE blockchain_backups IN ACCESS EXCLUSIVE MODE')
    const reason = new Error('the deadline')
    const controller = new AbortController()
    const waiting = at.put('net/two', bytes, { signal: controller.signal })
    setTimeout(() => controller.abort(reason), 50)
    await assert.rejects(waiting, reason)
    await client.query('ROLLBACK')
    await client.end()
    await at.put('net/two', bytes, { signal: never })
  })

  it('one that accepts and never answers is left at the deadline, and does not hold the end', async () => {
    const sockets = new Set<Socket>()
    const silent = createServer((socket) => sockets.add(socket)).listen(0, '127.0.0.1')
    await new Promise((resolve) => silent.once('listening', resolve))
    const address = silent.address()
    assert.ok(address !== null && typeof address === 'object')
    for (const mode of ['', '?sslmode=disable', '?sslmode=require']) {
      const at = open(`postgresql://a:b@127.0.0.1:${address.port}/c${mode}`)
      const reason = new Error('the deadline')
      const controller = new AbortController()
      const waiting = at.list('', controller.signal)
      setTimeout(() => controller.abort(reason), 50)
      await assert.rejects(waiting, reason)
      const began = Date.now()
      await at.close()
      assert.ok(Date.now() - began < 3000)
    }
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => silent.close(resolve))
  })

  it('nothing listens, or something else', async () => {
    const other = createServer((socket) => {
      socket.on('error', () => {}).resume()
      socket.end('220 mail.example ESMTP\r\n')
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const address = other.address()
    assert.ok(address !== null && typeof address === 'object')
    for (const mode of ['', '?sslmode=disable', '?sslmode=require']) {
      const at = open(`postgresql://a:b@127.0.0.1:${address.port}/c${mode}`)
      await assert.rejects(at.list('', never), { code: 'DESTINATION_UNREACHABLE' })
    }
    await new Promise((resolve) => other.close(resolve))
    const gone = open(`postgresql://a:b@127.0.0.1:${address.port}/c`)
    await assert.rejects(gone.list('', never), {
      code: 'DESTINATION_UNREACHABLE',
      message: /ECONNREFUSED/,
    })
  })
})
