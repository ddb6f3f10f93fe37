/**
 * What stands of contents at one destination: its lists and packs, looked up at the destination itself. Lists never
 * change, so each is read once; a pack counts when a list of the user's devices names it and it is there with its size.
 *
 * owns: the union of the lists, writing and putting them together
 * does not own: what goes into a pack (shipping.ts), what is not wanted any more (clean.ts)
 */
import { deviceKeyOf, type NetworkId, type UserId } from '../../../chain/ids.ts'
import { concatBytes, toHex } from '../../../common/bytes.ts'
import { assert, codeOf } from '../../../common/errors.ts'
import { KIB, MIB } from '../../../common/limits.ts'
import type { ChainStore } from '../../../storage/chain-store.ts'
import type { Signer } from '../../chain/own-records.ts'
import { forEach, type Problem, problemOf } from '../catalog.ts'
import type { Destination, StoredObject } from '../destination.ts'
import { contentsError } from './errors.ts'
import {
  type ContentsList,
  type FileEntry,
  MAX_LIST_BYTES,
  marksIn,
  type PackEntry,
  readList,
  signList,
} from './list.ts'
import { contentsFolder, isListName, packName } from './names.ts'
import { isOfUser, type Shelf, shelfOf } from './shelf.ts'

/** Lists of one size that become one of the next. */
const MERGE = 8
/** Bytes of a list of the lowest tier, at most eight times as many; and those from which on it stays as it is. */
const TIER_BYTES: number = 4 * KIB
const FULL_BYTES: number = MIB
/** Looks at a destination where another device puts lists together meanwhile. */
const MAX_LOOKS = 3

export interface StockComponents {
  readonly destination: Destination
  readonly store: Pick<ChainStore, 'state'>
  readonly signer: Signer
}

export interface Entries {
  readonly packs: readonly PackEntry[]
  readonly files: readonly FileEntry[]
}

/** What stays of lists that are written anew. */
export interface Keep {
  readonly pack: (entry: PackEntry) => boolean
  /** A file that is whole in one pack (SHA-256, hex). */
  readonly alone: (root: Uint8Array, pack: string) => boolean
  /** One that needs these. */
  readonly file: (root: Uint8Array, packs: readonly string[]) => boolean
}

export interface Stock {
  readonly user: UserId
  /** What is there, as of the last `refresh`. */
  readonly shelf: Shelf
  readonly lists: ReadonlyMap<string, ContentsList>
  /** All objects of contents, by name. */
  readonly objects: ReadonlyMap<string, StoredObject>
  /** Lists that cannot be used, and why. */
  readonly problems: readonly Problem[]
  /** Those of them that are no lists at all. */
  readonly damaged: readonly string[]
  /** Looks what is there. @throws the errors of destinations */
  refresh(signal: AbortSignal): Promise<void>
  /** Stores a pack; nobody names it yet. @throws the errors of destinations */
  putPack(
    pack: Pick<PackEntry, 'sha256' | 'size' | 'zstd'>,
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<void>
  /** Writes a list of new packs and files; puts small lists together. @throws the errors of destinations */
  add(entries: Entries, recipient: string, signal: AbortSignal): Promise<void>
  /** Puts one list, without what `keep` leaves out, in the place of these. @throws the errors of destinations */
  replace(old: readonly ContentsList[], keep: Keep, signal: AbortSignal): Promise<void>
  /** Counts on these packs (SHA-256, hex) no more, for as long as this program runs. */
  distrust(packs: ReadonlySet<string>): void
  remove(object: string, signal: AbortSignal): Promise<void>
}

export function createStock(
  { destination, store, signer }: StockComponents,
  { network, user }: { readonly network: NetworkId; readonly user: UserId },
): Stock {
  const device = deviceKeyOf(signer.device)
  assert(device !== undefined, 'a device id stands for its key')
  const folder = contentsFolder(user)
  const lists = new Map<string, ContentsList>()
  /** Lists that are no lists: they are not read again. */
  const unreadable = new Map<string, Problem>()
  const objects = new Map<string, StoredObject>()
  const distrusted = new Set<string>()
  let problems: readonly Problem[] = []
  let shelf: Shelf = shelfOf([], { objects, distrusted, user })

  const isOwn = (list: ContentsList): boolean =>
    list.network === network && isOfUser(store.state, list, user)
  const rebuild = (): void => {
    const all = [...lists.values()]
    const strange = all
      .filter((list) => !isOwn(list))
      .map(({ object }) => {
        const why = 'no device of the user wrote it'
        const error = contentsError('CONTENTS_UNREADABLE', { name: object, why })
        return problemOf(destination, object, error)
      })
    problems = [...unreadable.values(), ...strange]
    shelf = shelfOf(all.filter(isOwn), { objects, distrusted, user })
  }

  /** Whether all lists that are there were read. */
  const look = async (signal: AbortSignal): Promise<boolean> => {
    const listed = await destination.list(folder, signal)
    objects.clear()
    for (const object of listed) objects.set(object.name, object)
    for (const known of [lists, unreadable]) {
      for (const name of [...known.keys()]) if (!objects.has(name)) known.delete(name)
    }
    let isWhole = true
    const isNew = ({ name }: StoredObject): boolean =>
      isListName(name) && !lists.has(name) && !unreadable.has(name)
    await forEach(listed.filter(isNew), async ({ name, size }) => {
      try {
        if (size > MAX_LIST_BYTES) {
          throw contentsError('CONTENTS_UNREADABLE', { name, why: 'it is larger than any list' })
        }
        lists.set(name, readList(await destination.get(name, signal, MAX_LIST_BYTES), name))
      } catch (error) {
        signal.throwIfAborted()
        const code = codeOf(error)
        if (code === 'OBJECT_NOT_FOUND') isWhole = false
        else if (code === 'CONTENTS_UNREADABLE') {
          unreadable.set(name, problemOf(destination, name, error))
        } else throw error
      }
    })
    return isWhole
  }

  const put = async (
    entries: Entries,
    recipient: string,
    signal: AbortSignal,
  ): Promise<ContentsList> => {
    const { list, bytes } = signList({ network, user, device, recipient, ...entries }, signer.sign)
    await destination.put(list.object, bytes, { signal })
    lists.set(list.object, list)
    objects.set(list.object, { name: list.object, size: list.size, stored: 0 })
    return list
  }
  const remove = async (object: string, signal: AbortSignal): Promise<void> => {
    await destination.remove(object, signal)
    lists.delete(object)
    unreadable.delete(object)
    objects.delete(object)
  }
  const replace: Stock['replace'] = async (old, keep, signal) => {
    const [first] = old
    if (first === undefined) return
    const entries = kept(old, keep)
    const isEmpty = entries.packs.length + entries.files.length === 0
    const made = isEmpty ? undefined : await put(entries, first.recipient, signal)
    // What they said stands in the new one: nobody misses them.
    for (const { object } of old) if (object !== made?.object) await remove(object, signal)
    rebuild()
  }

  return {
    user,
    get shelf() {
      return shelf
    },
    get problems() {
      return problems
    },
    get damaged() {
      return [...unreadable.keys()]
    },
    objects,
    lists,
    refresh: async (signal) => {
      for (let looks = 0; looks < MAX_LOOKS; looks++) if (await look(signal)) break
      rebuild()
    },
    putPack: async (pack, bytes, signal) => {
      const name = packName(user, pack)
      await destination.put(name, bytes, { signal })
      objects.set(name, { name, size: bytes.length, stored: 0 })
    },
    add: async (entries, recipient, signal) => {
      shelf.add(await put(entries, recipient, signal))
      // That a pack had a file says that it is not needed for one that is on its way: clean.ts.
      const keep: Keep = {
        pack: () => true,
        alone: () => true,
        file: (...file) => shelf.isKept(...file),
      }
      for (;;) {
        const open = [...lists.values()].filter(
          (list) => list.size < FULL_BYTES && list.recipient === recipient && isOwn(list),
        )
        const same = [...Map.groupBy(open, ({ size }) => tierOf(size)).values()].find(
          ({ length }) => length >= MERGE,
        )
        if (same === undefined) return
        await replace(same, keep, signal)
      }
    },
    replace,
    distrust: (packs) => {
      for (const hex of packs) distrusted.add(hex)
      rebuild()
    },
    remove,
  }
}

/** What stays of these lists, each entry once. */
function kept(old: readonly ContentsList[], keep: Keep): Entries {
  const packs = new Map<string, PackEntry>()
  const files = new Map<string, FileEntry>()
  for (const list of old) {
    for (const entry of list.packs) {
      if (!keep.pack(entry)) continue
      const hex = toHex(entry.sha256)
      const own = [...marksIn(entry.files)].filter((root) => keep.alone(root, hex))
      packs.set(hex, { ...entry, files: concatBytes(own) })
    }
    for (const entry of list.files) {
      if (keep.file(entry.root, entry.packs.map(toHex))) files.set(toHex(entry.root), entry)
    }
  }
  return { packs: [...packs.values()], files: [...files.values()] }
}

function tierOf(size: number): number {
  return Math.max(0, Math.floor(Math.log(size / TIER_BYTES) / Math.log(MERGE)))
}
