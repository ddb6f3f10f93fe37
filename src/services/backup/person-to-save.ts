/** What brings the user back, as the next backup says it: what is known here, and what others of the devices knew. */
import type { UserId } from '../../chain/ids.ts'
import { equalBytes } from '../../common/bytes.ts'
import { backupRoot } from '../../common/recovery-keys.ts'
import { encodePerson } from './person.ts'
import type { Owner, Standing } from './standing.ts'

/**
 * The encoded person; undefined: what stands at the destination stays.
 *
 * @param folder - of this device's objects
 */
export async function personToSave(
  owner: Owner,
  {
    standing: { person, inherited },
    folder,
    user,
  }: {
    readonly standing: Pick<Standing, 'person' | 'inherited'>
    readonly folder: string
    readonly user: UserId
  },
): Promise<Uint8Array | undefined> {
  // Without the key nobody can tell what others wrote of the person; what they wrote may hold the restore key too.
  const isOthers = person !== null && !person.name.startsWith(folder)
  if (owner.key === undefined && isOthers) return undefined
  const root = await rootOf(owner, user)
  if (root === undefined) return undefined
  const known = await owner.person()
  return encodePerson(
    {
      ...known,
      user,
      restore: known.restore ?? inherited?.restore,
      userKeys: union(known.userKeys, inherited?.userKeys ?? []),
    },
    root,
  )
}

/** What a backup says whose it is with; undefined: this device was not told. */
async function rootOf(
  { key, network, vouched }: Owner,
  user: UserId,
): Promise<Uint8Array | undefined> {
  if (key !== undefined) return backupRoot(key.secret, network, user)
  return (await vouched?.())?.root
}

function union(some: readonly Uint8Array[], more: readonly Uint8Array[]): readonly Uint8Array[] {
  return [...some, ...more.filter((each) => !some.some((known) => equalBytes(known, each)))]
}
