/** `doctor`: what may be wrong on this machine, and what the node itself finds. */
import { constants } from 'node:fs'
import { access, stat, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { codeOf, messageOf } from '../../../common/errors.ts'
import type { BackupSecrets } from '../../../node/options.ts'
import { type LoadedConfig, loadConfig } from '../../config/load.ts'
import { EXIT } from '../../error-codes.ts'
import type { Check } from '../../http/api.ts'
import { isLoopback } from '../../http/guard.ts'
import { Done } from '../done.ts'
import { printable, size } from '../format.ts'
import { canAsk } from '../input.ts'
import type { Options } from '../register.ts'
import type { Session } from '../session.ts'
import { secretChecks } from './doctor-secrets.ts'

/** Free bytes below which a person should act, and below which nothing can be added. */
const LOW_DISK = 1e9
const NO_DISK = 1e8
/** A clock before this program was written is wrong: 2026-01-01. */
const OLDEST_CLOCK = Date.UTC(2026, 0)

export async function doctor(session: Session, { deep }: Options): Promise<void> {
  const checks: Check[] = [await directoryCheck(session.dataDir), ...(await secretChecks(session))]
  checks.push(await diskCheck(session.dataDir), clockCheck())
  const config = configCheck(session)
  checks.push(config.check)
  try {
    const client = await session.node()
    const options = {
      query: { deep: deep === true ? true : undefined },
      answerMs: Number.POSITIVE_INFINITY,
    }
    const { items } = await client.call<{ items: Check[] }>(
      'GET',
      '/api/v1/checks',
      options,
      session.signal,
    )
    checks.push(
      { name: 'node', result: 'ok', says: `it runs: ${client.url}`, remedy: null },
      // The disk was looked at already.
      ...items.filter(({ name }) => name !== 'disk'),
    )
  } catch (error) {
    if (codeOf(error) !== 'NO_NODE' && codeOf(error) !== 'NODE_SILENT') throw error
    checks.push({ name: 'node', result: 'warning', says: messageOf(error), remedy: 'cairn start' })
    if (config.loaded !== undefined) {
      checks.push(...(await portChecks(config.loaded)))
      checks.push(...(await backupsCheck(session, config.loaded)))
    }
  }
  const failed = checks.filter(({ result }) => result === 'failed').length
  session.result({ ok: failed === 0, checks }, () => checks.map(checkText).join('\n'))
  if (failed > 0) throw new Done(EXIT.failed)
}

const SIGNS = { ok: 'ok     ', warning: 'warning', failed: 'FAILED ' } as const

function checkText({ name, result, says, remedy }: Check): string {
  const line = `${SIGNS[result]}  ${name}: ${printable(says)}`
  return remedy === null ? line : `${line}\n         what to do: ${printable(remedy)}`
}

async function directoryCheck(path: string): Promise<Check> {
  const name = 'data directory'
  try {
    const { mode } = await stat(path)
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK)
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      return {
        name,
        result: 'warning',
        says: `others on this machine may look into ${path}`,
        remedy: `chmod 700 ${path}`,
      }
    }
    return { name, result: 'ok', says: path, remedy: null }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      return { name, result: 'ok', says: `${path} is made by the first start`, remedy: null }
    }
    return {
      name,
      result: 'failed',
      says: `${path}: ${messageOf(error)}`,
      remedy: 'give this user the right to read and write it, or choose another with --data-dir',
    }
  }
}

async function diskCheck(dataDir: string): Promise<Check> {
  const name = 'disk'
  for (let path = dataDir; ; path = dirname(path)) {
    try {
      const { bavail, bsize } = await statfs(path)
      const free = bavail * bsize
      const says = `${size(free)} free`
      if (free >= LOW_DISK) return { name, result: 'ok', says, remedy: null }
      const remedy = 'free some space, or set max_storage_gb'
      return { name, result: free < NO_DISK ? 'failed' : 'warning', says, remedy }
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || path === dirname(path)) {
        return { name, result: 'warning', says: messageOf(error), remedy: null }
      }
    }
  }
}

function clockCheck(): Check {
  const name = 'clock'
  const says = new Date().toISOString()
  if (Date.now() >= OLDEST_CLOCK) return { name, result: 'ok', says, remedy: null }
  return {
    name,
    result: 'failed',
    says: `${says} lies in the past`,
    remedy: 'set the clock, best by the network (NTP)',
  }
}

function configCheck({ dataDir, environment }: Session): { check: Check; loaded?: LoadedConfig } {
  const name = 'configuration'
  try {
    const loaded = loadConfig(dataDir, environment, {})
    if (isLoopback(loaded.values.host)) {
      return { check: { name, result: 'ok', says: 'it is valid', remedy: null }, loaded }
    }
    const says = `the API is open to other machines (host ${loaded.values.host})`
    return {
      check: {
        name,
        result: 'warning',
        says,
        remedy: 'cairn config unset host, or put HTTPS before it',
      },
      loaded,
    }
  } catch (error) {
    return {
      check: {
        name,
        result: 'failed',
        says: messageOf(error),
        remedy: 'cairn config keys lists what is allowed',
      },
    }
  }
}

/** Where backups are and whether the clock fits them, before a start looks for them. */
async function backupsCheck(session: Session, loaded: LoadedConfig): Promise<Check[]> {
  const { destinationsOf, givenSecrets } = await import('../backup-options.ts')
  const configured = await destinationsOf(session, loaded)
  const { plans, sources, faults } = configured
  if (plans.length + sources.length + faults.length === 0) {
    const { UNCONFIGURED } = await import('../../../node/backup-checks.ts')
    return loaded.values.role === 'backup' ? [] : [UNCONFIGURED]
  }
  const [{ lookAtBackups }, { createLogger }, { systemClock }] = await Promise.all([
    import('../../../node/backup-look.ts'),
    import('../../../common/logger.ts'),
    import('../../../common/clock.ts'),
  ])
  const logger = createLogger('error', session.note, Date.now)
  const look = async (given: BackupSecrets): Promise<Check[]> =>
    lookAtBackups(
      { clock: systemClock, logger },
      {
        plans: [...plans, ...sources],
        faults,
        given,
        dataDir: session.dataDir,
        canAsk: canAsk(session),
      },
      session.signal,
    )
  let given: BackupSecrets
  try {
    given = await givenSecrets(session, {})
  } catch (error) {
    const remedy = 'Correct the variable, or the file that it names.'
    const says = `what is to open them cannot be used: ${messageOf(error)}`
    return [{ name: 'backups', result: 'failed', says, remedy }, ...(await look({}))]
  }
  return look(given)
}

async function portChecks({ values }: LoadedConfig): Promise<Check[]> {
  const wanted: readonly (readonly [string, number, string])[] = [
    ['port of the API', values.port, '--port'],
    ['port of the gateway', values.gateway_port, '--gateway-port'],
  ]
  return Promise.all(
    wanted.map(async ([name, port, flag]): Promise<Check> => {
      const problem = await tryPort(values.host, port)
      if (problem === undefined)
        return { name, result: 'ok', says: `${port} is free`, remedy: null }
      return {
        name,
        result: 'warning',
        says: `${port}: ${problem}`,
        remedy: `stop the program that has it, or choose another with ${flag}`,
      }
    }),
  )
}

function tryPort(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error) =>
      resolve(codeOf(error) === 'EADDRINUSE' ? 'it is in use' : messageOf(error)),
    )
    server.listen(port, host, () => server.close(() => resolve(undefined)))
  })
}
