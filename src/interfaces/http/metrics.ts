/** The node's figures in the text format of Prometheus (version 0.0.4). */
import type { BackupsStatus, DestinationStatus, NodeStatus } from './api.ts'

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

type Sample = readonly [name: string, kind: 'gauge' | 'counter', help: string, value: number | null]

/** @param memory - resident bytes of the process */
export function metricsText(
  status: NodeStatus,
  events: ReadonlyMap<string, number>,
  { memory, now }: { memory: number; now: number },
): string {
  const { chain, peers, files, storage } = status
  const samples: readonly Sample[] = [
    [
      'cairn_up_seconds',
      'gauge',
      'Seconds since the node started',
      (now - status.startedAt) / 1000,
    ],
    ['cairn_resident_bytes', 'gauge', 'Resident memory of the process', memory],
    ['cairn_chain_height', 'gauge', 'Height of the best chain', chain.height],
    ['cairn_chain_tip_time_seconds', 'gauge', 'Time of the tip', chain.tipTime / 1000],
    ['cairn_chain_difficulty', 'gauge', 'Difficulty of the tip', chain.difficulty],
    ['cairn_chain_records', 'gauge', 'Records in the best chain', chain.records],
    ['cairn_records_pending', 'gauge', 'Records in no block of the best chain', chain.pending],
    ['cairn_records_stranded', 'gauge', 'Records that cannot enter it as they are', chain.stranded],
    ['cairn_peers_connected', 'gauge', 'Connected devices', peers.connected],
    ['cairn_peers_known', 'gauge', 'Devices with a known address', peers.known],
    ['cairn_files', 'gauge', 'Files that are not removed', files.count],
    ['cairn_files_bytes', 'gauge', 'Their size', files.bytes],
    ['cairn_files_local', 'gauge', 'Files complete on this device', files.local],
    ['cairn_files_local_bytes', 'gauge', 'Their size', files.localBytes],
    ['cairn_files_missing', 'gauge', 'Files that are being fetched', files.missing],
    ['cairn_storage_used_bytes', 'gauge', 'Bytes of stored content', storage.used],
    ['cairn_storage_free_bytes', 'gauge', 'Free bytes of the disk', storage.free],
    ['cairn_storage_limit_bytes', 'gauge', 'Bytes that may be used', storage.limit],
    ['cairn_mining', 'gauge', 'Whether a block is being mined', Number(status.mining)],
    ['cairn_syncing', 'gauge', 'Whether the chain is being caught up', Number(status.syncing)],
    ['cairn_alarms', 'gauge', 'Alarms that are shown', status.alarms.length],
  ]
  const lines = samples.flatMap(([name, kind, help, value]) =>
    value === null ? [] : [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`, `${name} ${value}`],
  )
  lines.push(
    '# HELP cairn_events_total Events since the start',
    '# TYPE cairn_events_total counter',
  )
  for (const [name, count] of [...events].sort(([a], [b]) => (a < b ? -1 : 1))) {
    lines.push(`cairn_events_total{event="${name}"} ${count}`)
  }
  lines.push(...backupLines(status.backups))
  return `${lines.join('\n')}\n`
}

type Figure = readonly [name: string, help: string, of: (one: DestinationStatus) => number | null]

const BACKUP_FIGURES: readonly Figure[] = [
  ['newest_time_seconds', 'Time of the newest backup', ({ newest }) => seconds(newest?.time)],
  ['verified_time_seconds', 'When it was last read', ({ verified }) => seconds(verified?.time)],
  ['verified_ok', 'Whether that went well', ({ verified }) => right(verified)],
  ['drilled_time_seconds', 'When it was last practised', ({ drilled }) => seconds(drilled?.time)],
  ['drilled_ok', 'Whether that went well', ({ drilled }) => right(drilled)],
  ['failures', 'Failures since the last success', ({ failures }) => failures],
  ['behind', 'Whether something is not there yet', ({ behind }) => Number(behind)],
  ['stored', 'Backups there', ({ stored }) => stored?.backups ?? null],
  ['stored_bytes', 'Their size', ({ stored }) => stored?.bytes ?? null],
  ['average_bytes', 'Size of one, on average', ({ stored }) => stored?.average ?? null],
  ['written', 'Backups since the start', ({ written }) => written.backups],
  ['written_bytes', 'Bytes sent since the start', ({ written }) => written.bytes],
  ['contents_files', 'Files whose contents are there', ({ contents }) => contents?.files ?? null],
  ['contents_bytes', 'Size of contents there', ({ contents }) => contents?.bytes ?? null],
  [
    'contents_waiting_files',
    'Files whose contents are not there yet',
    ({ contents }) => contents?.waiting?.files ?? null,
  ],
  ['contents_waiting_bytes', 'Their size', ({ contents }) => contents?.waiting?.bytes ?? null],
  ['dollars_a_month', 'What it costs, an estimate', ({ monthly }) => monthly],
]

function backupLines({ configured, destinations, warnings }: BackupsStatus): string[] {
  const lines = [
    '# HELP cairn_backup_configured Whether there is a destination',
    '# TYPE cairn_backup_configured gauge',
    `cairn_backup_configured ${Number(configured)}`,
    '# HELP cairn_backup_warnings Warnings that are shown',
    '# TYPE cairn_backup_warnings gauge',
    `cairn_backup_warnings ${warnings.length}`,
  ]
  for (const [name, help, of] of BACKUP_FIGURES) {
    const values = destinations.flatMap((one) => {
      const value = of(one)
      const label = one.destination.replace(/[\\"\n]/g, '_')
      return value === null ? [] : [`cairn_backup_${name}{destination="${label}"} ${value}`]
    })
    if (values.length === 0) continue
    lines.push(
      `# HELP cairn_backup_${name} ${help}`,
      `# TYPE cairn_backup_${name} gauge`,
      ...values,
    )
  }
  return lines
}

const seconds = (ms: number | undefined): number | null => (ms === undefined ? null : ms / 1000)
const right = (proof: DestinationStatus['verified']): number | null =>
  proof === null ? null : Number(proof.code === null)
