/** Connections to PostgreSQL: made when needed, closed when idle, given up when their caller gives up. */
import { connect, Socket } from 'node:net'
import pg from 'pg'
import type { Clock } from '../../../common/clock.ts'
import { codeOf } from '../../../common/errors.ts'
import { backupError } from '../errors.ts'
import { unlessStopped } from './waiting.ts'

/** Connections at once: a backup and a restore or a verification beside it. */
const MAX_CONNECTIONS = 2
/** Milliseconds after which an unused connection is closed: databases that sleep when nobody is there can. */
const IDLE_MS = 30_000
/** Milliseconds to connect, TLS and password included. */
const CONNECT_MS = 15_000
/** Milliseconds of one statement, which the server itself ends. */
const STATEMENT_MS = 120_000
/** Milliseconds for which `close` waits for connections to end in order. */
const CLOSE_MS = 1000
/** Milliseconds without an answer after which a connection counts as dead. */
const QUERY_MS = STATEMENT_MS + 5_000

export interface PostgresLink {
  /**
   * Rows of a statement, or of several without values.
   *
   * @throws DESTINATION_UNREACHABLE, DESTINATION_REFUSED, DESTINATION_FULL, DESTINATION_TOO_LARGE, DESTINATION_BUSY,
   *   DESTINATION_FAILED, the signal's reason
   */
  query(
    text: string,
    values: readonly unknown[],
    signal: AbortSignal,
    object?: { readonly name: string; readonly size: number },
  ): Promise<readonly Readonly<Record<string, unknown>>[]>
  /** Idempotent. */
  close(): Promise<void>
}

export function connectPostgres(
  { clock }: { readonly clock: Pick<Clock, 'after'> },
  { url, destination }: { readonly url: string; readonly destination: string },
): PostgresLink {
  let pool: Promise<pg.Pool> | undefined
  let closed = false
  const sockets = new Set<Socket>()
  const ending = new AbortController()

  const open = async (): Promise<pg.Pool> => {
    const made = new pg.Pool({
      connectionString: await withTlsMode(url, ending.signal),
      max: MAX_CONNECTIONS,
      idleTimeoutMillis: IDLE_MS,
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: QUERY_MS,
      keepAlive: true,
      allowExitOnIdle: true,
      application_name: 'cairn',
      // Kept, to end those that hang.
      stream: () => {
        const socket = new Socket()
        sockets.add(socket)
        return socket.once('close', () => sockets.delete(socket))
      },
    })
    // An idle connection that the server closed is replaced at the next use.
    made.on('error', () => {})
    return made
  }

  return {
    query: async (text, values, signal, object) => {
      signal.throwIfAborted()
      for (let tries = 1; ; tries++) {
        if (closed) throw unreachable(destination, 'closed')
        let kept = false
        try {
          if (pool === undefined) {
            pool = open()
            pool.catch(() => {
              pool = undefined
            })
          }
          const client = await leased(await unlessStopped(pool, signal), signal)
          kept = limited.has(client)
          return await used(client, text, values, signal)
        } catch (error) {
          if (signal.aborted) throw signal.reason
          // A kept connection may have ended unnoticed. Every statement here may be run twice.
          if (kept && tries <= MAX_CONNECTIONS && isLoss(error)) continue
          throw translated(error, destination, object)
        }
      }
    },
    close: async () => {
      closed = true
      ending.abort()
      const open = await pool?.catch(() => undefined)
      pool = undefined
      if (open === undefined || open.ending) return
      const hung = Promise.withResolvers<void>()
      const cancel = clock.after(CLOSE_MS, hung.resolve)
      await Promise.race([open.end(), hung.promise])
      cancel()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** A connection; one that comes after its caller gave up goes back. */
async function leased(pool: pg.Pool, signal: AbortSignal): Promise<pg.PoolClient> {
  const coming = pool.connect()
  try {
    return await unlessStopped(coming, signal)
  } catch (error) {
    coming.then(
      (client) => client.release(),
      () => {},
    )
    throw error
  }
}

/** Connections whose statements have a limit. */
const limited = new WeakSet<pg.PoolClient>()

async function used(
  client: pg.PoolClient,
  text: string,
  values: readonly unknown[],
  signal: AbortSignal,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  let broken: Error | undefined
  const lost = (): void => {}
  client.on('error', lost)
  const asked = async (): Promise<readonly Readonly<Record<string, unknown>>[]> => {
    // Not with the connection's parameters: connection poolers refuse those that they do not know.
    if (!limited.has(client)) await client.query(`SET statement_timeout = ${STATEMENT_MS}`)
    limited.add(client)
    const { rows } = await client.query<Record<string, unknown>>(text, [...values])
    return rows ?? []
  }
  try {
    signal.throwIfAborted()
    const answer = asked()
    answer.catch(() => {})
    return await unlessStopped(answer, signal)
  } catch (error) {
    // What the server refused leaves the connection good; everything else does not.
    if (isLoss(error)) {
      broken = error instanceof Error ? error : new Error('stopped')
    }
    throw error
  } finally {
    client.release(broken)
    client.off('error', lost)
  }
}

/**
 * The address with what it says of TLS, read as PostgreSQL's own programs do: `sslmode` `disable`, `require` (without
 * a look at the certificate), `verify-ca`, `verify-full`, and `prefer`, also when it says nothing: TLS when the
 * server has it.
 */
async function withTlsMode(address: string, signal: AbortSignal): Promise<string> {
  const url = new URL(address)
  const query = url.searchParams
  const mode = query.get('sslmode')
  query.set('uselibpqcompat', 'true')
  const decided = query.has('ssl') || query.has('sslrootcert') || query.has('sslnegotiation')
  if (mode === 'prefer' || mode === 'allow' || (mode === null && !decided)) {
    const host = query.get('host') ?? url.hostname
    const port = Number(query.get('port') ?? (url.port || '5432'))
    const local = host === '' || host.startsWith('/')
    query.set('sslmode', !local && (await offersTls(host, port, signal)) ? 'require' : 'disable')
  }
  return url.href
}

/** `SSLRequest` of PostgreSQL's protocol, answered by `S` or `N`. */
const SSL_REQUEST = Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 47)

function offersTls(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal })
    socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error('no answer')))
    socket.once('connect', () => socket.write(SSL_REQUEST))
    socket.once('data', (answer) => {
      // `E`: a server so old that it does not know the question.
      const known = { S: true, N: false, E: false }[String.fromCharCode(answer[0] ?? 0)]
      if (known === undefined) reject(new Error('no PostgreSQL'))
      else resolve(known)
      socket.destroy()
    })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed')))
  })
}

/** Whether an error means that the connection is none any more: 57P01 to 57P05 say that the server ends it. */
function isLoss(error: unknown): boolean {
  return !(error instanceof pg.DatabaseError) || error.code?.startsWith('57P') === true
}

const unreachable = (destination: string, why: string): Error =>
  backupError('DESTINATION_UNREACHABLE', { destination, why })

/**
 * SQLSTATE classes (PostgreSQL, appendix A). The server's own sentence is left out: it may contain data.
 */
function translated(
  error: unknown,
  destination: string,
  object: { readonly name: string; readonly size: number } | undefined,
): Error {
  const state = error instanceof pg.DatabaseError ? (error.code ?? '') : ''
  if (state === '') {
    const code = codeOf(error)
    return unreachable(destination, code === 'INTERNAL' ? 'the connection ended' : code)
  }
  const details = { destination, why: `SQLSTATE ${state}`, ...object }
  if (/^(?:28|42501|3D000|0P|0L)/.test(state)) return backupError('DESTINATION_REFUSED', details)
  if (/^(?:53100|53200|53400)/.test(state)) return backupError('DESTINATION_FULL', details)
  if (/^(?:53300|55P03|40)/.test(state)) return backupError('DESTINATION_BUSY', details)
  if (/^54/.test(state)) return backupError('DESTINATION_TOO_LARGE', details)
  if (/^(?:57|08)/.test(state)) return unreachable(destination, details.why)
  return backupError('DESTINATION_FAILED', details)
}
