/** What `start` says once the node serves. */
import { join } from 'node:path'
import type { Daemon } from '../daemon.ts'
import { fields } from './format.ts'
import { nameOf } from './states.ts'

export interface Started {
  readonly dataDir: string
  readonly version: string
  readonly daemon: Pick<Daemon, 'status' | 'founded' | 'file' | 'exposed'>
  readonly log: string | null
}

export interface StartDocument {
  readonly pid: number
  readonly version: string
  readonly dataDir: string
  readonly device: string
  readonly deviceName: string
  readonly user: string | null
  readonly network: string
  readonly founded: boolean
  readonly api: string
  readonly gateway: string | null
  readonly listen: readonly string[]
  readonly log: string | null
}

export function startDocument({ dataDir, version, daemon, log }: Started): StartDocument {
  const { identity, listen } = daemon.status
  return {
    pid: daemon.file.pid,
    version,
    dataDir,
    device: identity.device,
    deviceName: identity.deviceName,
    user: identity.userName,
    network: identity.network,
    founded: daemon.founded,
    api: daemon.file.api,
    gateway: daemon.file.gateway,
    listen,
    log,
  }
}

export function startText(started: Started): string {
  const { dataDir, version, daemon } = started
  const { identity, listen, chain } = daemon.status
  const warning = daemon.exposed
    ? '\n\nThe API is open to other machines. Whoever has the token can do everything; use it only in a network that you trust, or behind HTTPS.'
    : ''
  if (!daemon.founded && chain.height > 0) {
    const gateway = daemon.file.gateway === null ? '' : `, gateway ${daemon.file.gateway}`
    return `Cairn ${version} runs: API ${daemon.file.api}${gateway}, data ${dataDir}. Stop it with: cairn stop${warning}`
  }
  const head = daemon.founded
    ? `Cairn ${version} runs. This first start made a data directory, a key for this device and a new network.`
    : `Cairn ${version} runs. This first start made a data directory and a key for this device.`
  const places = fields([
    ['  data', dataDir],
    ['  device', `${identity.deviceName}  ${identity.device}`],
    [
      '  user',
      identity.user === null ? undefined : nameOf({ id: identity.user, name: identity.userName }),
    ],
    ['  network', identity.network],
    ...listen.map((address, index) => [index === 0 ? '  peers' : '', address] as const),
    ['  API', `${daemon.file.api}  (token: ${join(dataDir, 'token')})`],
    ['  gateway', daemon.file.gateway === null ? undefined : `${daemon.file.gateway}/ipfs/<CID>`],
    ['  log', started.log ?? undefined],
  ])
  const next = [
    '  cairn add --public PATH           add a file',
    '  cairn status                      see what the node has and does',
    '  cairn peers export > peers.json   and on another device: cairn start --peers peers.json',
    '  cairn stop                        stop it (here: Ctrl-C)',
  ]
  return `${head}\n\n${places}\n\nNext, in another terminal:\n${next.join('\n')}${warning}`
}
