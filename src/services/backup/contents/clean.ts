/**
 * Removes contents that nobody needs any more: first from the lists, then the packs.
 *
 * - A file is needed while the chain wants it, and while a backup is kept that ends before its removal. One that this
 *   chain does not know is needed: another device may know it.
 * - A pack is needed while a whole file is found in it, or one that is whole nowhere, since a list is all that is known
 *   of that; one without, for a month: a large file may be on its way.
 * - A pack that no list names is removed only when it was found so an hour before too, as with segments: a device
 *   that counts on a pack looks again after half an hour (shipping.ts), and somebody may be restoring from it.
 */
import { toHex } from '../../../common/bytes.ts'
import type { Clock } from '../../../common/clock.ts'
import { digestOf } from '../../../common/dag-cbor.ts'
import type { KeptBackups } from '../retention.ts'
import type { ContentsList, PackEntry } from './list.ts'
import { marksIn } from './list.ts'
import type { MarkOf } from './marks.ts'
import { isPackName, packName } from './names.ts'
import type { Keep, Stock } from './stock.ts'
import type { Wanted } from './wanted.ts'

/** Milliseconds between the pass that first finds a pack without a list and the one that removes it. */
export const UNNAMED_MS = 3_600_000
/** Milliseconds for which a pack stays in which no file is whole yet. */
export const PARTIAL_MS: number = 30 * 24 * 3_600_000
/** Packs without a list that are remembered. */
const MAX_UNNAMED = 100_000

const NOTHING: Keep = { pack: () => false, alone: () => false, file: () => false }

export interface CleanedContents {
  /** Packs that were removed, and their bytes. */
  readonly packs: number
  readonly bytes: number
}

export interface ContentsCleaner {
  /** @throws the errors of destinations; what was removed until then is */
  clean(kept: KeptBackups, signal: AbortSignal): Promise<CleanedContents>
}

export function createContentsCleaner({
  stock,
  wanted,
  markOf,
  clock,
}: {
  readonly stock: Stock
  readonly wanted: Pick<Wanted, 'gone' | 'all'>
  readonly markOf: MarkOf
  readonly clock: Clock
}): ContentsCleaner {
  /** When a pack was first found without a list. */
  const unnamed = new Map<string, number>()

  /** Marks of files that neither the chain nor a kept backup needs. */
  const goneMarks = async (lowest: number, signal: AbortSignal): Promise<Set<string>> => {
    const marks = new Set<string>()
    for await (const page of wanted.gone(signal)) {
      for (const { root, height } of page) {
        if (height <= lowest) marks.add(toHex(markOf(digestOf(root))))
      }
    }
    return marks
  }

  /** What stays of the lists. */
  const keepOf = (gone: ReadonlySet<string>): Keep => {
    const { shelf } = stock
    const isFile: Keep['file'] = (root, packs) =>
      !gone.has(toHex(root)) && shelf.isKept(root, packs)
    const used = new Set<string>()
    for (const { packs, files } of stock.lists.values()) {
      for (const { root, packs: hashes } of files) {
        const hexes = hashes.map(toHex)
        if (isFile(root, hexes)) for (const hex of hexes) used.add(hex)
      }
      for (const { sha256, files: alone } of packs) {
        const hex = toHex(sha256)
        for (const root of marksIn(alone)) if (isFile(root, [hex])) used.add(hex)
      }
    }
    const isYoung = ({ time }: PackEntry): boolean => clock.now() - time < PARTIAL_MS
    const pack = (entry: PackEntry): boolean => {
      const hex = toHex(entry.sha256)
      // What had a file and has none any more is not on its way.
      return used.has(hex) || (entry.files.length === 0 && isYoung(entry) && shelf.packs.has(hex))
    }
    return { file: isFile, alone: (root, hex) => isFile(root, [hex]), pack }
  }

  const hasWaste = ({ packs, files }: ContentsList, keep: Keep): boolean =>
    packs.some(
      (entry) =>
        !keep.pack(entry) ||
        [...marksIn(entry.files)].some((root) => !keep.alone(root, toHex(entry.sha256))),
    ) || files.some(({ root, packs: hashes }) => !keep.file(root, hashes.map(toHex)))

  /** Takes what is not needed out of the lists. */
  const cleanLists = async (kept: KeptBackups, signal: AbortSignal): Promise<void> => {
    const keep = keepOf(await goneMarks(kept.lowest, signal))
    for (const list of [...stock.lists.values()]) {
      signal.throwIfAborted()
      if (!kept.recipients.has(list.recipient)) {
        await stock.replace([list], NOTHING, signal)
      } else if (hasWaste(list, keep)) await stock.replace([list], keep, signal)
    }
  }

  /** A list that cannot be read names nothing any more once all that the chain wants stands in others. */
  const cleanDamaged = async (signal: AbortSignal): Promise<void> => {
    if (stock.damaged.length === 0) return
    for await (const page of wanted.all(signal)) {
      if (page.some((root) => stock.shelf.packsOf(markOf(digestOf(root))) === undefined)) return
    }
    for (const object of stock.damaged) await stock.remove(object, signal)
  }

  return {
    clean: async (kept, signal) => {
      await stock.refresh(signal)
      await cleanLists(kept, signal)
      await cleanDamaged(signal)
      const cleaned = { packs: 0, bytes: 0 }
      // What cannot be read may name anything.
      if (stock.problems.length > 0) return cleaned
      const named = new Set<string>()
      for (const { packs } of stock.lists.values()) {
        for (const entry of packs) named.add(packName(stock.user, entry))
      }
      const strays = [...stock.objects.values()].filter(
        ({ name }) => isPackName(name) && !named.has(name),
      )
      const stay = new Set(strays.map(({ name }) => name))
      for (const name of unnamed.keys()) if (!stay.has(name)) unnamed.delete(name)
      for (const { name, size } of strays) {
        const since = unnamed.get(name)
        if (since === undefined) {
          if (unnamed.size < MAX_UNNAMED) unnamed.set(name, clock.now())
        } else if (clock.now() - since >= UNNAMED_MS) {
          await stock.remove(name, signal)
          unnamed.delete(name)
          cleaned.packs += 1
          cleaned.bytes += size
        }
      }
      return cleaned
    },
  }
}
