/**
 * A running node with everything that speaks for it: HTTP API, gateway, `node.json`. Loaded by `start` alone.
 */
import { rmSync } from 'node:fs'
import { utf8 } from '../common/bytes.ts'
import { systemClock } from '../common/clock.ts'
import { codeOf } from '../common/errors.ts'
import { type Startable, startAll, stopAll } from '../common/lifecycle.ts'
import type { Logger } from '../common/logger.ts'
import { type CairnNode, createNode } from '../node/node.ts'
import type { NodeOptions } from '../node/options.ts'
import { writeFileAtomic } from '../storage/atomic-file.ts'
import { type NodeFile, nodeFilePath } from './client/node-file.ts'
import type { Config } from './config/schema.ts'
import { createGateway } from './gateway/gateway.ts'
import type { NodeApi, NodeStatus } from './http/api.ts'
import { createHttpApi } from './http/create-api.ts'
import { isLoopback } from './http/guard.ts'
import { ensureToken } from './http/token.ts'

const GIGABYTE = 1e9
const BYTES_PER_MEGABIT = 125_000

export interface Daemon {
  readonly node: NodeApi
  readonly status: NodeStatus
  /** Whether this start founded the network. */
  readonly founded: boolean
  /** What this start has brought back from backups. */
  readonly restored: CairnNode['restored']
  readonly file: NodeFile
  readonly token: string
  /** The API can be reached from other machines. */
  readonly exposed: boolean
  /** Resolves when somebody asked for the stop over HTTP. */
  readonly asked: Promise<void>
  /** Idempotent; flushes everything. */
  stop(): Promise<void>
}

export interface DaemonInit {
  readonly dataDir: string
  readonly version: string
  readonly config: Config
  /** Of the HTTP API, as the operator chose it; undefined: the one of the data directory. */
  readonly token?: string | undefined
  /** Asked when the keys are under a passphrase. */
  readonly passphrase?: NodeOptions['passphrase'] & {}
  /** Undefined: without backups. */
  readonly backups?: NodeOptions['backups'] & {}
}

/**
 * Starts everything; returns when it serves.
 *
 * @param signal - ends the wait for peers that the first start with a peers file may need
 * @throws what the parts throw; nothing runs then
 */
export async function startDaemon(
  components: { logger: Logger },
  init: DaemonInit,
  signal: AbortSignal,
): Promise<Daemon> {
  try {
    return await startOnce(components, init, signal)
  } catch (error) {
    if (codeOf(error) !== 'DATABASE_DAMAGED') throw error
    // The damage is noted: the next open checks the whole database and puts it aside.
    return startOnce(components, init, signal)
  }
}

async function startOnce(
  { logger }: { logger: Logger },
  init: DaemonInit,
  signal: AbortSignal,
): Promise<Daemon> {
  const { dataDir, version, config } = init
  const startedAt = systemClock.now()
  const node = await createNode(nodeOptions({ ...init, logger }), signal)
  const asked = Promise.withResolvers<void>()
  let token = ''
  let parts: Startable[] = [node]
  try {
    await node.start()
    token = await ensureToken(dataDir, init.token)
    const { host, port, gateway_port, allowed_hosts = [] } = config
    const allowedHosts = [...allowed_hosts, host].map((name) => name.toLowerCase())
    const gateway = createGateway(
      { content: node.content, logger },
      { host, port: gateway_port, allowedHosts },
    )
    const http = createHttpApi(
      {
        node,
        token,
        logger,
        clock: systemClock,
        gatewayUrl: () => gateway.url,
        shutdown: () => asked.resolve(),
      },
      { host, port, allowedHosts, version },
    )
    const servers = config.gateway ? [http, gateway] : [http]
    await startAll(servers)
    parts = [node, ...servers]
    const file: NodeFile = {
      pid: process.pid,
      version,
      startedAt,
      api: reachable(http.url ?? ''),
      gateway: gateway.url === undefined ? null : reachable(gateway.url),
    }
    writeFileAtomic(nodeFilePath(dataDir), utf8(`${JSON.stringify(file, null, 2)}\n`), 0o600)
    let stopped: Promise<void> | undefined
    return {
      node,
      status: await node.status(),
      founded: node.founded,
      restored: node.restored,
      file,
      token,
      exposed: !isLoopback(host),
      asked: asked.promise,
      stop: () => {
        stopped ??= (async () => {
          rmSync(nodeFilePath(dataDir), { force: true })
          await stopAll(parts)
        })()
        return stopped
      },
    }
  } catch (error) {
    await stopAll(parts).catch(() => {})
    throw error
  }
}

/** What clients on this machine connect to when the server listens on all addresses. */
function reachable(url: string): string {
  return url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')
}

function nodeOptions({
  dataDir,
  version,
  config,
  logger,
  passphrase,
  backups,
}: DaemonInit & { logger: Logger }): Parameters<typeof createNode>[0] {
  const { name, device_name, listen, announce, peers_file, lan_discovery } = config
  const { admission, difficulty_floor, replication, max_storage_gb, bandwidth_limit_mbps } = config
  return {
    dataDir,
    version,
    logger,
    name: name ?? 'me',
    deviceName: device_name ?? 'device',
    policy: replication,
    ...(admission === undefined ? {} : { admission }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(backups === undefined ? {} : { backups }),
    ...(listen === undefined ? {} : { listen }),
    ...(announce === undefined ? {} : { announce }),
    ...(peers_file === undefined ? {} : { peersFile: peers_file }),
    ...(lan_discovery === undefined ? {} : { lan: lan_discovery }),
    ...(difficulty_floor === undefined ? {} : { difficultyFloor: difficulty_floor }),
    ...(max_storage_gb == null ? {} : { maxStorageBytes: Math.round(max_storage_gb * GIGABYTE) }),
    ...(bandwidth_limit_mbps == null
      ? {}
      : { uploadBytesPerSecond: Math.round(bandwidth_limit_mbps * BYTES_PER_MEGABIT) }),
  }
}
