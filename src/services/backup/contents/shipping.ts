/**
 * Brings the contents that are here to one destination, a pack at a time: what is there already is not sent again,
 * whoever has sent it, and what was interrupted goes on.
 *
 * Small packs, of files that came one by one, are put together: their files are sent once more, in one pack, and the
 * small ones are not needed then.
 */
import type { ContentId, DeviceId } from '../../../chain/ids.ts'
import { fromHex, toHex, utf8 } from '../../../common/bytes.ts'
import type { Clock } from '../../../common/clock.ts'
import { sha256 } from '../../../common/crypto.ts'
import { digestOf } from '../../../common/dag-cbor.ts'
import { KIB } from '../../../common/limits.ts'
import { type ContentBlockstore, hashOf } from '../../../storage/blockstore.ts'
import { createBacklog } from './backlog.ts'
import { createWalk, type Filled, fillPack, type Walk } from './filling.ts'
import { type FileEntry, marksIn, type PackEntry } from './list.ts'
import type { MarkOf } from './marks.ts'
import { PACK_BYTES, packBlocks } from './pack.ts'
import type { Pack } from './shelf.ts'
import type { Entries, Stock } from './stock.ts'
import type { Root, Wanted } from './wanted.ts'

/** Milliseconds after which it is looked up again what stands there: less than what a clean-up waits (clean.ts). */
const LOOK_AGAIN_MS = 600_000
/** The same before something is sent that may have come from another device, which may have sent it. */
const LOOK_FIRST_MS = 30_000
/** Small packs of one size that are put together. */
const MERGE = 8
/** Bytes of a pack of the lowest size, at most eight times as many; and those from which on it stays. */
const TIER_BYTES: number = 4 * KIB
const STAYS_BYTES: number = PACK_BYTES / 2

export interface ShippingComponents {
  readonly stock: Stock
  readonly wanted: Wanted
  readonly content: Pick<ContentBlockstore, 'bytes'>
  readonly markOf: MarkOf
  readonly clock: Clock
  /** Whose packs they are. */
  readonly device: DeviceId
}

export interface Shipping {
  /** Files and bytes that are to be sent; undefined: nothing was looked at yet. */
  readonly waiting: { readonly files: number; readonly bytes: number } | undefined
  /** Bytes of packs sent since the start. */
  readonly sent: number
  /** Content is here that was not. */
  add(root: ContentId): void
  /** All that is here is to be looked through. */
  lookAgain(): void
  /** What is there is not what it was taken for. */
  forget(): void
  /**
   * Sends one pack; false: nothing is left.
   *
   * @param what - `new`: only files that came since the start; `all`: those that were here too; `tidy`: small packs are
   *   put together when nothing else is to do
   * @throws the errors of destinations, disk errors; the signal's reason
   */
  slice(recipient: string, what: 'new' | 'all' | 'tidy', signal: AbortSignal): Promise<boolean>
}

export function createShipping(components: ShippingComponents): Shipping {
  const { stock, wanted, content, markOf, clock } = components
  const backlog = createBacklog()
  /** Files that were begun: the one that waits for new ones, and the one that is sent. */
  let paused: Walk | undefined
  let current: Walk | undefined
  let seenAt = Number.NEGATIVE_INFINITY
  let needsLook = true
  let hasLooked = false
  let sent = 0
  /** Packs that are written anew, and those whose files are not here. */
  let retired: ReadonlySet<string> = new Set()
  const barren = new Set<string>()
  /** What stands there and in no list yet: the list could not be written. */
  let unlisted: { readonly entries: Entries; readonly recipient: string } | undefined

  const markOfRoot = (root: ContentId): Uint8Array => markOf(digestOf(root))
  /** Another order at each device: two that begin together do not send the same. */
  const own = new DataView(sha256(utf8(components.device)).buffer).getUint32(0)
  const rank = (root: ContentId): number => {
    const mark = markOfRoot(root)
    return (new DataView(mark.buffer, mark.byteOffset).getUint32(0) ^ own) >>> 0
  }
  const isThere = (root: ContentId, recipient: string): boolean => {
    const packs = stock.shelf.packsOf(markOfRoot(root))
    return packs?.every((pack) => pack.recipient === recipient && !retired.has(pack.hex)) === true
  }
  const look = async (recipient: string, signal: AbortSignal): Promise<void> => {
    const found: Root[] = []
    const isKnown = (root: ContentId): boolean =>
      isThere(root, recipient) ||
      backlog.has(root) ||
      root === current?.root ||
      root === paused?.root
    for await (const page of wanted.here(isKnown, signal)) found.push(...page)
    backlog.set(found, rank)
    hasLooked = true
  }
  /** Looks what stands there when that is older than so; whether it did. */
  const refresh = async (olderThanMs: number, signal: AbortSignal): Promise<boolean> => {
    if (clock.now() - seenAt <= olderThanMs) return false
    await stock.refresh(signal)
    seenAt = clock.now()
    return true
  }
  const next = (recipient: string): Walk | undefined => {
    for (;;) {
      // A file that was put aside goes on before older ones, after new ones.
      if (paused !== undefined && !backlog.hasNew) {
        const again = paused
        paused = undefined
        return again
      }
      const isNew = backlog.hasNew
      const root = backlog.take()
      if (root === undefined) return undefined
      if (isThere(root.root, recipient) || wanted.of(root.root) === undefined) continue
      return createWalk(components, { ...root, isNew })
    }
  }

  const packOf =
    (recipient: string) =>
    (mark: Uint8Array): Pack | undefined => {
      const pack = stock.shelf.packOf(mark)
      return pack?.recipient === recipient && !retired.has(pack.hex) ? pack : undefined
    }

  const send = async (filled: Filled, recipient: string, signal: AbortSignal): Promise<void> => {
    const { blocks, marks, root, done, open } = filled
    let hash: Uint8Array | undefined
    const packs: PackEntry[] = []
    if (root !== undefined) {
      const { bytes, squeezed } = await packBlocks(blocks, { root, recipient })
      hash = await hashOf(bytes)
      const pack = { sha256: hash, size: bytes.length, zstd: squeezed ? 1 : 0 }
      await stock.putPack(pack, bytes, signal)
      sent += bytes.length
      packs.push({ ...pack, time: clock.now(), blocks: joined(marks), files: new Uint8Array() })
    }
    const hex = hash === undefined ? undefined : toHex(hash)
    for (const walk of [...done, ...[open, paused].flatMap((each) => each ?? [])]) {
      if (walk.inOpen && hex !== undefined) walk.packs.add(hex)
      walk.inOpen = false
    }
    const whole = done.filter((walk) =>
      [...walk.packs].every((one) => one === hex || stock.shelf.packs.has(one)),
    )
    // A pack that it had counted on is gone.
    if (whole.length < done.length) needsLook = true
    const alone = whole
      .filter(({ packs: { size } }) => size === 1)
      .filter((walk) => walk.packs.has(hex ?? ''))
    const others = whole.filter((walk) => !alone.includes(walk))
    const files = others.map(
      ({ mark, packs: hexes }): FileEntry => ({ root: mark, packs: [...hexes].map(fromHex) }),
    )
    const [pack] = packs
    if (pack !== undefined) packs[0] = { ...pack, files: joined(alone.map(({ mark }) => mark)) }
    if (packs.length + files.length === 0) return
    unlisted = { entries: { packs, files }, recipient }
    await list(signal)
  }
  const list = async (signal: AbortSignal): Promise<void> => {
    if (unlisted !== undefined) await stock.add(unlisted.entries, unlisted.recipient, signal)
    unlisted = undefined
  }

  /** Small packs of one size, of which all files are here: these are sent again. */
  const planMerge = async (recipient: string, signal: AbortSignal): Promise<void> => {
    const { shelf } = stock
    const isUsed = ({ hex, entry }: Pack): boolean =>
      [...marksIn(entry.files)].some((root) => shelf.isCurrent(root, [hex]))
    const small = [...shelf.packs.values()].filter(
      (pack) =>
        pack.entry.size < STAYS_BYTES &&
        pack.recipient === recipient &&
        !barren.has(pack.hex) &&
        isUsed(pack),
    )
    const group = [...Map.groupBy(small, ({ entry }) => tierOf(entry.size)).values()].find(
      ({ length }) => length >= MERGE,
    )
    if (group === undefined) return
    const hexes = new Set(group.map(({ hex }) => hex))
    for (const hex of hexes) barren.add(hex)
    retired = hexes
    await look(recipient, signal)
  }

  const finish = (): void => {
    retired = new Set()
  }

  return {
    get waiting() {
      if (!hasLooked) return undefined
      const { files, bytes } = backlog.waiting
      const begun = [current, paused].flatMap((each) => each ?? [])
      return {
        files: files + begun.length,
        bytes: begun.reduce((sum, { size }) => sum + size, bytes),
      }
    },
    get sent() {
      return sent
    },
    add: (root) => {
      const found = wanted.of(root)
      if (found !== undefined) backlog.addFirst(found)
    },
    lookAgain: () => {
      needsLook = true
    },
    forget: () => {
      seenAt = Number.NEGATIVE_INFINITY
      needsLook = true
    },
    slice: async (recipient, what, signal) => {
      if (what === 'new' && !backlog.hasNew && current?.isNew !== true) return false
      await refresh(LOOK_AGAIN_MS, signal)
      await list(signal)
      if (what !== 'new' && (needsLook || backlog.overflown)) {
        needsLook = false
        await look(recipient, signal)
        const isNothing = backlog.waiting.files === 0
        if (!isNothing && (await refresh(LOOK_FIRST_MS, signal))) await look(recipient, signal)
      }
      if (current !== undefined && paused === undefined && backlog.hasNew) {
        paused = current
        current = undefined
      }
      const filling = { content, markOf, packOf: packOf(recipient), next: () => next(recipient) }
      let filled: Filled | undefined
      try {
        filled = await fillPack(filling, current, signal)
        current = filled.open
        await send(filled, recipient, signal)
      } catch (error) {
        // Walked again, past what is there: a pack that was not stored has to be filled anew.
        for (const { root, size } of [
          ...(filled?.done ?? []),
          ...[current, paused].flatMap((each) => each ?? []),
        ]) {
          backlog.addFirst({ root, size })
        }
        current = undefined
        paused = undefined
        needsLook = true
        throw error
      }
      if (filled.root !== undefined || filled.done.length > 0) return true
      finish()
      if (what !== 'tidy') return false
      await planMerge(recipient, signal)
      return retired.size > 0
    },
  }
}

function tierOf(size: number): number {
  return Math.max(0, Math.floor(Math.log(size / TIER_BYTES) / Math.log(MERGE)))
}

function joined(marks: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(marks))
}
