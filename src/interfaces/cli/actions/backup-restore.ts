/** `backup restore`: into the running node, or into a data directory where none runs. */
import { CairnError, codeOf } from '../../../common/errors.ts'
import { createLogger } from '../../../common/logger.ts'
import { count } from '../../../common/plural.ts'
import { isBackupCid, parseBackupCid } from '../../../services/backup/ipfs-place.ts'
import type { Restored } from '../../../services/backup/restore.ts'
import { selectionOf } from '../../backup-selection.ts'
import type { Client } from '../../client/client.ts'
import { loadConfig } from '../../config/load.ts'
import { interfaceError } from '../../errors.ts'
import { backupOptions } from '../backup-options.ts'
import { printable, size } from '../format.ts'
import { confirm } from '../input.ts'
import type { Options } from '../register.ts'
import type { Session } from '../session.ts'

export async function restore(
  session: Session,
  [given = 'newest']: readonly string[],
  options: Options,
): Promise<void> {
  const id = typeof options.cid === 'string' ? parseBackupCid(options.cid) : given
  const selection = selectionOf(id)
  const client = await session.node().catch((error: unknown) => {
    if (codeOf(error) === 'NO_NODE') return undefined
    throw error
  })
  const running = client === undefined ? undefined : await intoNode(client, session, id, options)
  if (running !== undefined) {
    return session.result(running, () => text(running))
  }
  const { dataDir, signal, note } = session
  const loaded = loadConfig(dataDir, session.environment, {})
  const backups = await backupOptions(session, loaded, options)
  const { plans, sources = [], faults } = backups
  const isByCid = selection.id !== undefined && isBackupCid(selection.id)
  if (!isByCid && plans.length + sources.length + faults.length === 0) {
    throw interfaceError('USAGE', {
      why: 'No backup destination is configured here: set DATABASE_URL, R2_…, S3_…, GCS_BUCKET_NAME, PINATA_JWT or CAIRN_BACKUP_FOLDER; or name a backup on IPFS: --cid.',
    })
  }
  const { isOfNoNetwork } = await import('../../../node/network-choice.ts')
  if (!isOfNoNetwork(dataDir)) {
    const words = `What is in ${dataDir} is put aside, and a new device is made from the backup.`
    await confirm(session, words, options.yes === true)
  }
  const { restoreFirst } = await import('../../../node/restoring-first.ts')
  const restored = await restoreFirst(
    {
      dataDir,
      backups,
      peersFile: loaded.values.peers_file,
      logger: createLogger('warn', note, Date.now),
      selection,
      replace: true,
      allowRollback: options.allowRollback === true,
    },
    signal,
  )
  if (restored === undefined) {
    throw interfaceError('USAGE', { why: 'There is nothing to restore at any destination.' })
  }
  session.result(restored, () => {
    const aside =
      restored.putAside === undefined ? '' : ` What was here is now in ${restored.putAside}.`
    return `${text(restored)}${aside} Start it with: cairn start`
  })
}

async function intoNode(
  client: Client,
  { signal }: Session,
  id: string,
  options: Options,
): Promise<Restored | undefined> {
  try {
    const path = `/api/v1/backups/${encodeURIComponent(id)}/restore`
    const patient = { answerMs: Number.POSITIVE_INFINITY }
    return await client.call<Restored>('POST', path, patient, signal)
  } catch (error) {
    if (codeOf(error) === 'NO_NODE') return undefined
    if (codeOf(error) !== 'BACKUP_BEHIND' || options.allowRollback !== true) throw error
    const why = 'A running node never goes back. Stop it first (cairn stop), then say it again.'
    throw new CairnError('USAGE', why, { cause: error })
  }
}

function text({ height, records, sources, problems, contents }: Restored): string {
  const from = [...new Set(sources.map(({ destination }) => destination))].join(', ')
  const trouble = problems.length === 0 ? '' : ` (${count(problems.length, 'backup')} unusable)`
  if (sources.length === 0) {
    return `The history here is ahead of all backups (block ${height}).${contentsText(contents)}`
  }
  return `Restored from ${from}${trouble}: block ${height}, ${count(records, 'pending record')}.${contentsText(contents)}`
}

function contentsText(contents: Restored['contents']): string {
  if (contents === undefined) return ''
  const { files, bytes, missing, problems } = contents
  const came = files > 0 ? ` Contents of ${count(files, 'file')} came back (${size(bytes)}).` : ''
  const first = problems[0] === undefined ? '' : `: ${printable(problems[0].message)}`
  return missing > 0 ? `${came} Of ${count(missing, 'file')} they did not${first}` : came
}
