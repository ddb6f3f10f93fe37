/**
 * Fills one pack with blocks that are not at a destination yet, file after file. A file is walked from its root, so that
 * one of any size takes the memory of a pack, and what was interrupted goes on where it stopped.
 */
import type { CID } from 'multiformats/cid'
import type { ContentId } from '../../../chain/ids.ts'
import { toHex } from '../../../common/bytes.ts'
import { cidText, digestOf, RAW } from '../../../common/dag-cbor.ts'
import { codeOf } from '../../../common/errors.ts'
import type { ContentBlockstore } from '../../../storage/blockstore.ts'
import { readIfHere } from '../../../storage/pins.ts'
import { dagBlocks } from '../../../storage/pins-walk.ts'
import { type CarBlock, cidBytes } from '../car.ts'
import type { MarkOf } from './marks.ts'
import { PACK_BYTES } from './pack.ts'
import type { Pack } from './shelf.ts'
import type { Root } from './wanted.ts'

/** Bytes of a block's place in an archive beside its own, about. */
const BLOCK_OVERHEAD = 40
/** Files that become whole with one pack. */
const MAX_DONE = 8192
/** Blocks that are looked at between two turns of the event loop: half a millisecond. */
const LOOKS = 128

/** A file on its way. */
export interface Walk extends Root {
  /** Whether it came since the start. */
  readonly isNew: boolean
  readonly mark: Uint8Array
  readonly blocks: AsyncGenerator<{ readonly cid: CID; readonly missing: boolean }>
  /** SHA-256 of the packs that have blocks of it. */
  readonly packs: Set<string>
  /** Whether the pack that is being filled has some, too. */
  inOpen: boolean
}

/** What goes into one pack. */
export interface Filled {
  readonly blocks: readonly CarBlock[]
  readonly marks: readonly Uint8Array[]
  /** Of a file in it. */
  readonly root: ContentId | undefined
  /** Files that are whole with this pack. */
  readonly done: readonly Walk[]
  /** The one that goes on in the next pack. */
  readonly open: Walk | undefined
  /** Files that are not whole here after all. */
  readonly broken: readonly Root[]
}

export interface FillingComponents {
  readonly content: Pick<ContentBlockstore, 'bytes'>
  readonly markOf: MarkOf
  /** Where a block is already. */
  readonly packOf: (mark: Uint8Array) => Pack | undefined
  readonly next: () => Walk | undefined
}

export function createWalk(
  { content, markOf }: Pick<FillingComponents, 'content' | 'markOf'>,
  { root, size, isNew }: Root & { readonly isNew: boolean },
): Walk {
  return {
    root,
    size,
    isNew,
    mark: markOf(digestOf(root)),
    blocks: dagBlocks(root, readIfHere(content)),
    packs: new Set(),
    inOpen: false,
  }
}

/** @param first - a file that was begun in another pack. @throws disk errors; the signal's reason */
export async function fillPack(
  { content, markOf, packOf, next }: FillingComponents,
  first: Walk | undefined,
  signal: AbortSignal,
): Promise<Filled> {
  const blocks: CarBlock[] = []
  const marks: Uint8Array[] = []
  const inside = new Set<string>()
  const done: Walk[] = []
  const broken: Root[] = []
  let root: ContentId | undefined
  let size = 0
  let looks = 0
  let walk = first ?? next()
  while (walk !== undefined && size < PACK_BYTES && done.length < MAX_DONE) {
    signal.throwIfAborted()
    if (++looks % LOOKS === 0) await new Promise((resolve) => setImmediate(resolve))
    const step = await walk.blocks.next()
    if (step.done === true) {
      done.push(walk)
      walk = next()
      continue
    }
    const { cid, missing } = step.value
    const mark = markOf(cid.multihash.digest)
    const there = missing ? undefined : packOf(mark)
    if (there !== undefined) {
      walk.packs.add(there.hex)
      continue
    }
    const hex = toHex(mark)
    if (!inside.has(hex)) {
      const bytes = missing ? undefined : await bytesOf(content, cid)
      if (bytes === undefined) {
        broken.push(walk)
        walk = next()
        continue
      }
      inside.add(hex)
      marks.push(mark)
      blocks.push({ cid: plainBytes(cid), bytes })
      size += bytes.length + BLOCK_OVERHEAD
      root ??= walk.root
    }
    walk.inOpen = true
  }
  return { blocks, marks, root, done, open: walk, broken }
}

/** Its one form in archives; what has none is its bytes alone. */
function plainBytes({ code, multihash: { digest } }: CID): Uint8Array {
  return cidBytes(cidText(code < 128 ? code : RAW, digest))
}

/** Undefined: it is not here, or damaged. @throws disk errors */
async function bytesOf(
  content: Pick<ContentBlockstore, 'bytes'>,
  cid: CID,
): Promise<Uint8Array | undefined> {
  try {
    return await content.bytes(cid)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'CONTENT_MISSING' || code === 'CONTENT_DAMAGED') return undefined
    throw error
  }
}
