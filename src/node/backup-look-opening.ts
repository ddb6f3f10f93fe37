/** Whether the secrets that a start was given open the backups that stand at the destinations. */
import { messageOf } from '../common/errors.ts'
import type { Catalog } from '../services/backup/catalog.ts'
import type { Destination } from '../services/backup/destination.ts'
import { backupError } from '../services/backup/errors.ts'
import { backupKeyOfKit } from '../services/backup/keys.ts'
import { openAnySlot } from '../services/backup/slots.ts'
import type { Check } from './check.ts'
import type { BackupSecrets } from './options.ts'

interface Seen {
  readonly destination: Destination
  readonly catalog: Catalog
}

type Opening = Pick<Check, 'result' | 'says' | 'remedy'>

const GIVE =
  'Give the passphrase that was set for them (CAIRN_BACKUP_PASSPHRASE, or a file with CAIRN_BACKUP_PASSPHRASE_FILE), or the words of the recovery kit (CAIRN_RECOVERY_WORDS, CAIRN_RECOVERY_WORDS_FILE).'
const GIVE_HERE =
  'The key of this directory opens its own backups; the next start sets the passphrase that is given. After a wipe these backups need what opens them now.'
const NOTHING: Opening = { result: 'ok', says: '', remedy: null }

/**
 * Tries what is given on what stands there.
 *
 * @param seen - the destinations that have backups
 * @param init - `isFirst`: the next start restores, so that what does not open ends it
 * @returns what to say of a destination, by its name
 * @throws the signal's reason
 */
export async function openingOf(
  seen: readonly Seen[],
  {
    given: { kit, passphrase },
    isFirst,
    canAsk,
  }: { readonly given: BackupSecrets; readonly isFirst: boolean; readonly canAsk: boolean },
  signal: AbortSignal,
): Promise<(destination: string) => Opening> {
  const isGiven = kit !== undefined || passphrase !== undefined
  if (seen.length === 0 || (!isGiven && !isFirst)) return () => NOTHING
  const wrong = (says: string): Opening => ({
    result: isFirst ? 'failed' : 'warning',
    says,
    remedy: isFirst ? GIVE : GIVE_HERE,
  })
  const what = kit === undefined ? 'the passphrase' : 'the words of the recovery kit'
  const found = new Map<string, Opening>()
  if (!isGiven) {
    const says = 'nothing is given that opens them'
    const none: Opening = canAsk
      ? { result: 'warning', says: `${says}; the start asks for it`, remedy: GIVE }
      : wrong(says)
    for (const { destination } of seen) found.set(destination.name, none)
  } else {
    const slots =
      kit === undefined && passphrase !== undefined
        ? await openAnySlot(
            seen.map(({ destination }) => destination),
            passphrase,
            signal,
          )
        : undefined
    const key = kit === undefined ? slots?.key : backupKeyOfKit(kit)
    for (const { destination, catalog } of seen) {
      const { name } = destination
      const failure = slots?.failures.find((each) => each.destination === destination)?.error
      const unread = catalog.problems[0]
      if (key === undefined) {
        found.set(
          name,
          wrong(messageOf(failure ?? backupError('BACKUP_PASSPHRASE', { destination: name }))),
        )
      } else if (catalog.backups.some(({ manifest }) => manifest.recipient === key.recipient)) {
        found.set(name, { ...NOTHING, says: `${what} given here fits them` })
      } else if (catalog.backups.length === 0 && unread !== undefined) {
        found.set(name, wrong(unread.message))
      } else {
        found.set(
          name,
          wrong(`they were made for another recovery kit: ${what} given here opens none of them`),
        )
      }
    }
  }
  return (destination) => found.get(destination) ?? NOTHING
}
