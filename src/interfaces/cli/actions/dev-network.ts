/** `start --dev-mode`: three nodes of one throw-away network, in this process. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LoadedConfig } from '../../config/load.ts'
import type { Daemon } from '../../daemon.ts'
import { openLogFile } from '../../log-file.ts'
import { nodeLogger, stopRequest, stopWithin } from '../node-run.ts'
import type { Session } from '../session.ts'
import { startDocument } from '../start-text.ts'
import { programVersion } from '../version.ts'

const NODES = [
  { folder: 'a', user: 'Ada', device: 'laptop' },
  { folder: 'b', user: 'Ben', device: 'desktop' },
  { folder: 'c', user: 'Cleo', device: 'server' },
] as const

/** Runs until it is stopped, then removes everything. Ports that were not asked for are chosen by the system. */
export async function runDevNetwork(session: Session, loaded: LoadedConfig): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'cairn-dev-'))
  const { startDaemon } = await import('../../daemon.ts')
  const version = programVersion()
  const daemons: Daemon[] = []
  const logs = NODES.map(({ folder }) => openLogFile(join(root, folder)))
  try {
    for (const [index, { folder, user, device }] of NODES.entries()) {
      const { values, sources } = loaded
      const asked = (key: 'port' | 'gateway_port'): number =>
        index === 0 && sources[key] !== 'default' ? values[key] : 0
      const first = daemons[0]
      const peers = join(root, 'peers.json')
      if (first !== undefined) await writeFile(peers, JSON.stringify(first.node.peers.export()))
      const config = {
        ...values,
        admission: 'open' as const,
        name: user,
        device_name: device,
        port: asked('port'),
        gateway_port: asked('gateway_port'),
        listen: ['/ip4/127.0.0.1/tcp/0'],
        lan_discovery: false,
        ...(first === undefined ? {} : { peers_file: peers }),
      }
      const logger = nodeLogger(session, loaded, (line) => logs[index]?.write(line))
      const dataDir = join(root, folder)
      daemons.push(await startDaemon({ logger }, { dataDir, version, config }, session.signal))
    }
    const nodes = daemons.map((daemon, index) =>
      startDocument({
        dataDir: join(root, NODES[index]?.folder ?? ''),
        version,
        daemon,
        log: logs[index]?.path ?? null,
      }),
    )
    session.result({ nodes }, () => {
      const lines = nodes.map(
        ({ user, api, gateway, dataDir }) =>
          `  ${user?.padEnd(5) ?? ''} API ${api}  gateway ${gateway ?? '-'}\n        cairn --data-dir ${dataDir} status`,
      )
      return `A network of three nodes runs; it is gone when you press Ctrl-C.\n\n${lines.join('\n')}`
    })
    await Promise.race(daemons.map((daemon) => stopRequest(daemon, session.signal)))
  } finally {
    await stopWithin(daemons)
    for (const log of logs) log.close()
    await rm(root, { recursive: true, force: true })
  }
}
