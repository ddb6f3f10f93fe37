/** What lists say together of what is there: in which pack a block is, which files are whole. */
import { deviceIdOf, type UserId } from '../../../chain/ids.ts'
import { readDevice } from '../../../chain/state/devices.ts'
import type { StateView } from '../../../chain/view.ts'
import { toHex } from '../../../common/bytes.ts'
import type { StoredObject } from '../destination.ts'
import { type ContentsList, type FileEntry, marksIn, type PackEntry } from './list.ts'
import { createMarkTable } from './marks.ts'
import { packName } from './names.ts'

/** A pack that is there. */
export interface Pack {
  /** SHA-256 of the object. */
  readonly hex: string
  readonly name: string
  readonly entry: PackEntry
  /** What it is encrypted for. */
  readonly recipient: string
}

export interface Shelf {
  /** By their hashes, the oldest first. */
  readonly packs: ReadonlyMap<string, Pack>
  /** Whole files. */
  readonly files: number
  /** Where a block is. */
  packOf(mark: Uint8Array): Pack | undefined
  /** The packs that a whole file needs, the newest that do; undefined: it is not whole. */
  packsOf(root: Uint8Array): readonly Pack[] | undefined
  /** Whether a file was whole once: a list says so, also where its packs are gone. */
  isNamed(root: Uint8Array): boolean
  /** Whether a whole file is found in these packs, and not in newer ones. */
  isCurrent(root: Uint8Array, packs: readonly string[]): boolean
  /** The same, or it is not whole anywhere: what a list says is all that is known of it then. */
  isKept(root: Uint8Array, packs: readonly string[]): boolean
  /** Takes in what was just written. */
  add(list: ContentsList): void
}

/** Whether a device that is, or was, the user's wrote a list: what a revoked one has brought there stays useful. */
export function isOfUser(
  state: StateView,
  { device }: Pick<ContentsList, 'device'>,
  user: UserId,
): boolean {
  return readDevice(state, deviceIdOf(device))?.user === user
}

export function shelfOf(
  lists: Iterable<ContentsList>,
  {
    objects,
    distrusted,
    user,
  }: {
    /** What is there: a pack that is not, or has another size, does not count. */
    readonly objects: ReadonlyMap<string, StoredObject>
    /** Packs (SHA-256, hex) that do not count either. */
    readonly distrusted: ReadonlySet<string>
    readonly user: UserId
  },
): Shelf {
  const packs = new Map<string, Pack>()
  const numbered: Pack[] = []
  const blocks = createMarkTable()
  /** Files of one pack, by the pack's number. */
  const small = createMarkTable()
  const large = new Map<string, FileEntry>()
  const named = createMarkTable()

  const addPacks = (entries: readonly { entry: PackEntry; recipient: string }[]): void => {
    for (const { entry } of entries) for (const mark of marksIn(entry.files)) named.set(mark, 1)
    // The newest last: what it has is found there.
    for (const { entry, recipient } of entries.toSorted((a, b) => a.entry.time - b.entry.time)) {
      const hex = toHex(entry.sha256)
      const name = packName(user, entry)
      if (packs.has(hex) || distrusted.has(hex)) continue
      if (objects.get(name)?.size !== entry.size) continue
      const pack = { hex, name, entry, recipient }
      packs.set(hex, pack)
      const number = numbered.push(pack) - 1
      for (const mark of marksIn(entry.blocks)) blocks.set(mark, number)
      for (const mark of marksIn(entry.files)) small.set(mark, number)
    }
  }
  const whole = ({ packs: hashes }: FileEntry): readonly Pack[] | undefined => {
    const found = hashes.map((hash) => packs.get(toHex(hash)))
    return found.includes(undefined) ? undefined : (found as Pack[])
  }
  const addFiles = (entries: readonly FileEntry[]): void => {
    for (const entry of entries) {
      named.set(entry.root, 1)
      const found = whole(entry)
      if (found === undefined) continue
      const hex = toHex(entry.root)
      const known = large.get(hex)
      const before = known === undefined ? undefined : whole(known)
      if (before === undefined || timeOf(found) >= timeOf(before)) large.set(hex, entry)
    }
  }
  const packsOf = (root: Uint8Array): readonly Pack[] | undefined => {
    const one = numbered[small.get(root) ?? -1]
    const entry = large.get(toHex(root))
    const several = entry === undefined ? undefined : whole(entry)
    if (one === undefined) return several
    return several === undefined || timeOf([one]) >= timeOf(several) ? [one] : several
  }

  const isCurrent = (root: Uint8Array, hexes: readonly string[]): boolean => {
    const found = packsOf(root)
    return found?.length === hexes.length && found.every(({ hex }, at) => hex === hexes[at])
  }

  const all = [...lists]
  addPacks(
    all.flatMap(({ packs: entries, recipient }) => entries.map((entry) => ({ entry, recipient }))),
  )
  for (const list of all) addFiles(list.files)
  return {
    packs,
    get files() {
      return small.size + large.size
    },
    packOf: (mark) => numbered[blocks.get(mark) ?? -1],
    packsOf,
    isNamed: (root) => named.get(root) !== undefined,
    isCurrent,
    isKept: (root, hexes) => packsOf(root) === undefined || isCurrent(root, hexes),
    add: (list) => {
      addPacks(list.packs.map((entry) => ({ entry, recipient: list.recipient })))
      addFiles(list.files)
    },
  }
}

function timeOf(packs: readonly Pack[]): number {
  return packs.reduce((latest, { entry }) => Math.max(latest, entry.time), 0)
}
