/** Which destinations and backups somebody means, and what was done with each of them. */
import { codeOf, messageOf } from '../common/errors.ts'
import type { Backups } from '../services/backup/backups.ts'
import type { Problem } from '../services/backup/catalog.ts'
import { backupError } from '../services/backup/errors.ts'
import type { Verified } from '../services/backup/verify.ts'

/**
 * Does something at each destination that is meant; what fails at one is told beside the others.
 *
 * @param wanted - a destination's name or kind; undefined: all
 * @throws DESTINATION_UNKNOWN
 */
export async function atEach<T>(
  backups: Backups,
  wanted: string | undefined,
  work: (destination: string) => Promise<T>,
  signal: AbortSignal,
): Promise<(T | Problem)[]> {
  const meant = backups
    .status()
    .filter(({ name, kind }) => wanted === undefined || wanted === name || wanted === kind)
  if (wanted !== undefined && meant.length === 0) {
    throw backupError('DESTINATION_UNKNOWN', { destination: wanted })
  }
  return Promise.all(
    meant.map(({ name }) =>
      work(name).catch((error: unknown): Problem => {
        signal.throwIfAborted()
        return { destination: name, object: '', code: codeOf(error), message: messageOf(error) }
      }),
    ),
  )
}

/**
 * Reads backups from their destination.
 *
 * @param id - of a backup, or a destination's name or kind; undefined: the newest of each destination
 * @throws BACKUP_NONE, DESTINATION_UNKNOWN
 */
export async function verifyNamed(
  backups: Backups,
  id: string | undefined,
  signal: AbortSignal,
): Promise<readonly (Verified | Problem)[]> {
  const names = backups.status().flatMap(({ name, kind }) => [name, kind as string])
  if (id === undefined || names.includes(id)) {
    return atEach(backups, id, (destination) => backups.verify(destination, signal), signal)
  }
  const { isCalled } = await import('../services/backup/called.ts')
  const listed = (await backups.list(signal)).backups.filter((one) => isCalled(one, id))
  if (listed.length === 0) throw backupError('BACKUP_NONE', { wanted: id })
  return Promise.all(
    listed.map(({ destination, object }) => backups.verify(destination, signal, object)),
  )
}
