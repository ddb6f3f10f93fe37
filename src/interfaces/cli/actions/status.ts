/** `status`. */

import { count } from '../../../common/plural.ts'
import { revokedText } from '../../../services/people/revoked-text.ts'
import type { FullStatus } from '../../http/api.ts'
import { backupsText } from '../backups-text.ts'
import { duration, fields, printable, size, time } from '../format.ts'
import type { Session } from '../session.ts'
import { nameOf } from '../states.ts'

export async function status(session: Session): Promise<void> {
  const client = await session.node()
  const found = await client.get<FullStatus>('/api/v1/status', {}, session.signal)
  session.result(found, () => statusText(found))
}

function statusText(status: FullStatus): string {
  const { identity, chain, peers, files, storage, alarms } = status
  const user =
    identity.user === null
      ? 'not admitted yet'
      : nameOf({ id: identity.user, name: identity.userName })
  const limit = storage.limit === null ? '' : ` of ${size(storage.limit)} allowed`
  const free = storage.free === null ? '' : `, ${size(storage.free)} free on the disk`
  const text = fields([
    ['device', `${identity.deviceName} of ${user}  ${identity.device}`],
    [
      'running',
      `${duration(status.now - status.startedAt)}, version ${status.version}, process ${status.pid}, ${size(status.memory)} of memory`,
    ],
    ['network', identity.network],
    [
      'chain',
      `block ${chain.height}, ${time(chain.tipTime)}; ${count(chain.records, 'record')}, ${chain.pending} pending${chain.stranded > 0 ? `, ${chain.stranded} stranded` : ''}`,
    ],
    [
      'now',
      [status.syncing ? 'catching up' : '', status.mining ? 'making a block' : '']
        .filter(Boolean)
        .join(', ') || 'idle',
    ],
    ['devices', `${peers.connected} connected, ${peers.known} known`],
    [
      'files',
      `${files.count} (${size(files.bytes)}); ${files.local} here (${size(files.localBytes)})${files.missing > 0 ? `, ${files.missing} on the way` : ''}`,
    ],
    ['content', `${size(storage.used)}${limit}${free}`],
    ['listens', status.listen.length === 0 ? 'to no device' : status.listen.join('  ')],
    ['API', status.urls.api ?? undefined],
    ['gateway', status.urls.gateway ?? undefined],
    ['data', status.dataDir],
  ])
  const warnings = alarms.map(({ time: at, message }) => `! ${time(at)}  ${printable(message)}`)
  const kit = status.recovery
  if (kit.here && !kit.tested) {
    warnings.push(
      '! Nobody has typed the words of your recovery kit yet. Without them, and without your devices, you are locked out: cairn recovery show, then cairn recovery test',
    )
  }
  if (status.revoked !== null) warnings.unshift(`! ${printable(revokedText(status.revoked))}`)
  const backups = backupsText(status.backups)
  return [text, backups, ...warnings].filter((part) => part !== '').join('\n')
}
