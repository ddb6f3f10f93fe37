/** What `start` says once the node serves. */
import { join } from 'node:path'
import type { Daemon } from '../daemon.ts'
import { fields } from './format.ts'
import { nameOf } from './states.ts'

export interface Started {
  readonly dataDir: string
  readonly version: string
  readonly daemon: Pick<Daemon, 'status' | 'founded' | 'restored' | 'file' | 'exposed'>
  readonly log: string | null
  /** A network that this start founded takes in anybody. */
  readonly open: boolean
  /** It was let in just now; what says so may still be on its way. */
  readonly joined: boolean
}

/** What goes before the node's own words and fields when another command than `start` runs it. */
export interface Prelude {
  readonly document: Readonly<Record<string, unknown>>
  readonly text: string
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
  /** What this start has brought back from backups; null: nothing. */
  readonly restored: {
    readonly height: number
    readonly sources: readonly string[]
    /** Destinations that did not answer yet. */
    readonly late: readonly string[]
  } | null
  readonly api: string
  readonly gateway: string | null
  readonly listen: readonly string[]
  readonly log: string | null
}

const RECOVERY_HINT =
  '  cairn recovery show               24 words; write them down: they bring you back without any device'
const INVITE_HINT =
  '  cairn invite                      let somebody in; with --device a further device of yours'
const OPEN_HINT =
  '  cairn peers export > peers.json   and on another device: cairn start --peers peers.json'

/** What to do after a start in the background that founded a network. */
export function foundedText(network: string, open: boolean): string {
  return `This first start made the network ${network}${open ? OPEN : BY_INVITE}.\n\nNext:\n${RECOVERY_HINT}\n${open ? OPEN_HINT : INVITE_HINT}`
}

const OPEN = ', open to anybody'
const BY_INVITE = ', which others enter by invite'

/** What somebody is told whose device nobody let in. */
export const STRANGER_TEXT =
  'This device belongs to nobody in this network, and its members let in only whom they invited: nothing is exchanged. Ask one of them for an invite ("cairn invite"), and use it in an empty directory: cairn --data-dir DIR join CODE'

/** What a start has brought back from backups. */
export function restoredText({
  height,
  sources,
  late,
}: NonNullable<StartDocument['restored']>): string {
  const missing =
    late.length === 0
      ? ''
      : ` ${late.join(', ')} did not answer: what is newer there is taken in as soon as it does.`
  return `Restored from backups: block ${height}, from ${[...new Set(sources)].join(', ')}.${missing} This device has a new key; what it was before stays in "cairn devices" until you revoke it. Contents of files come back from your other devices, and from backups that hold them: "cairn backup" shows how far it is.`
}

export function startDocument({
  dataDir,
  version,
  daemon,
  log,
}: Omit<Started, 'open' | 'joined'>): StartDocument {
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
    restored:
      daemon.restored === undefined
        ? null
        : {
            height: daemon.restored.height,
            sources: daemon.restored.sources.map(({ destination }) => destination),
            late: daemon.restored.late,
          },
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
  if (identity.user === null && !started.joined) {
    return `Cairn ${version} runs: API ${daemon.file.api}, data ${dataDir}.\n\n${STRANGER_TEXT}\n\nStop it with: cairn stop${warning}`
  }
  const { restored } = startDocument(started)
  if (restored !== null) {
    return `Cairn ${version} runs: API ${daemon.file.api}, data ${dataDir}.\n\n${restoredText(restored)}${warning}`
  }
  if (!daemon.founded && chain.height > 0) {
    const gateway = daemon.file.gateway === null ? '' : `, gateway ${daemon.file.gateway}`
    return `Cairn ${version} runs: API ${daemon.file.api}${gateway}, data ${dataDir}. Stop it with: cairn stop${warning}`
  }
  const head = daemon.founded
    ? `Cairn ${version} runs. This first start made a data directory, a key for this device and a new network${started.open ? OPEN : BY_INVITE}.`
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
    ...(daemon.founded ? [RECOVERY_HINT] : []),
    '  cairn add PATH                    add a file, private unless you say --public',
    started.open ? OPEN_HINT : INVITE_HINT,
    '  cairn status                      see what the node has and does',
    '  cairn stop                        stop it (here: Ctrl-C)',
  ]
  return `${head}\n\n${places}\n\nNext, in another terminal:\n${next.join('\n')}${warning}`
}
