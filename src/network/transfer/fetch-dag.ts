/**
 * Brings a whole tree of blocks here. Steps of a block: named by the walk · looked for in the local store ·
 * asked of the source with the most room · verified by the source's ledger · stored. Many blocks are in
 * different steps at a time, bounded by `LOOK_AHEAD_BYTES`.
 *
 * What is here already is not fetched, so a fetch that was interrupted goes on where it was. A block that a
 * source does not have, or that it failed to send, is asked of the next one.
 */
import type { CID } from 'multiformats/cid'
import type { Clock } from '../../common/clock.ts'
import { CairnError, codeOf, messageOf } from '../../common/errors.ts'
import { MIB } from '../../common/limits.ts'
import type { BlockDoor, Fetching } from './block-door.ts'
import { comparePaths, createWalk, isWalkable, MAX_DEPTH, type WalkNode } from './dag-walk.ts'
import { transferError } from './errors.ts'
import type { Held } from './messages.ts'
import type { Source } from './source.ts'
import type { Sources } from './sources.ts'

/** Bytes that are looked for, asked or being stored at a time; with the window the memory of one fetch. */
const LOOK_AHEAD_BYTES: number = 20 * MIB
/** Blocks of that, for trees of small blocks. */
const LOOK_AHEAD_BLOCKS = 512
/** Milliseconds that a fetch without any source waits for one: a connection that broke is often back by then. */
export const PATIENCE_MS = 5_000
/** Milliseconds for a source to say what it has. */
const HAVE_MS = 3_000

export interface FetchProgress {
  /** Bytes of blocks that are here and verified. */
  readonly bytes: number
  /** Bytes of all blocks as the root's links say; undefined until the root is here. */
  readonly total: number | undefined
  /** The device that sent the last block; undefined when it was here already. */
  readonly source: string | undefined
}

export interface FetchOptions {
  signal?: AbortSignal
  onProgress?: (progress: FetchProgress) => void
  /** Device ids; only these are asked. Default: every connected one that has the root. */
  providers?: readonly string[]
  /** Bytes of blocks above which the fetch is given up (`DAG_TOO_LARGE`). */
  maxBytes?: number
  /** Milliseconds without any source before `NO_SOURCE`, default `PATIENCE_MS`. */
  patienceMs?: number
}

export interface FetchComponents {
  door: BlockDoor
  sources: Sources
  clock: Clock
}

interface Ask {
  readonly node: WalkNode
  /** Devices that said they do not have it, or failed to send it. */
  readonly without: Set<string>
}

/**
 * Resolves when every block under `root` is stored and flushed.
 *
 * @throws `NO_SOURCE`, `CID_UNSUPPORTED`, `DAG_TOO_LARGE`, `DAG_INVALID`, errors of the store, the signal's reason
 */
export function fetchDag(
  { door, sources, clock }: FetchComponents,
  root: CID,
  { signal, onProgress, providers, maxBytes, patienceMs = PATIENCE_MS }: FetchOptions = {},
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const walk = createWalk(root)
  const held = new Map<string, Held | 'asking'>()
  const asking: Ask[] = []
  const wants = new Set<Fetching>()
  let unfinishedBytes = 0
  let unfinished = 0
  let bytes = 0
  let total: number | undefined
  let over = false
  let stopPatience: (() => void) | undefined

  const end = (error?: unknown): void => {
    if (over) return
    over = true
    offChange()
    stopPatience?.()
    signal?.removeEventListener('abort', aborted)
    for (const want of wants) want.cancel(error)
    if (error === undefined) door.flush().then(resolve, reject)
    else reject(error)
  }
  const aborted = (): void => end(signal?.reason)

  const pump = (): void => {
    while (!over && unfinishedBytes < LOOK_AHEAD_BYTES && unfinished < LOOK_AHEAD_BLOCKS) {
      const node = walk.next()
      if (node === undefined) break
      unfinished += 1
      unfinishedBytes += node.expected
      look(node).catch(end)
    }
    if (walk.done) end()
    else askNext()
  }

  const look = async (node: WalkNode): Promise<void> => {
    if (!isWalkable(node.cid)) throw transferError('CID_UNSUPPORTED', { cid: `${node.cid}` })
    if (node.path.length > MAX_DEPTH) invalid(`more than ${MAX_DEPTH} levels`)
    const local = await door.local(node.cid, node.inner || node.path.length === 1)
    if (over) return
    if (local !== undefined) {
      return finish(node, local === true ? node.expected : local, undefined)
    }
    enqueue({ node, without: new Set() })
    askNext()
  }

  const enqueue = (ask: Ask): void => {
    let at = asking.length
    while (at > 0 && comparePaths(asking[at - 1]?.node.path ?? [], ask.node.path) > 0) at -= 1
    asking.splice(at, 0, ask)
  }

  const askNext = (): void => {
    if (over || asking.length === 0) return
    const usable = candidates()
    for (let index = 0; index < asking.length && usable.some(hasRoom); ) {
      const ask = asking[index]
      const source = ask === undefined ? undefined : choose(usable, ask)
      if (ask === undefined || source === undefined) {
        index += 1
        continue
      }
      asking.splice(index, 1)
      void fetchFrom(source, ask)
    }
    beImpatient(usable)
  }

  const candidates = (): Source[] => {
    const usable = sources.usable().filter(({ peer }) => providers?.includes(peer) ?? true)
    for (const source of usable) if (!held.has(source.peer)) void learn(source)
    return usable.filter(({ peer }) => held.get(peer) !== 'none' && held.get(peer) !== 'asking')
  }

  const learn = async (source: Source): Promise<void> => {
    held.set(source.peer, 'asking')
    const limit = new AbortController()
    const stop = clock.after(HAVE_MS, () => limit.abort(transferError('SOURCE_STALLED', {})))
    try {
      const [answer = 'none'] = await source.have([root], limit.signal)
      held.set(source.peer, answer)
    } catch {
      held.delete(source.peer)
    } finally {
      stop()
      askNext()
    }
  }

  const fetchFrom = async (source: Source, ask: Ask): Promise<void> => {
    const { node } = ask
    const want = door.fetch(source, node.cid, node.expected)
    wants.add(want)
    try {
      const block = await want.stored
      wants.delete(want)
      if (!over) finish(node, block, source.peer)
    } catch (error) {
      wants.delete(want)
      if (over) return
      if (want.joined) {
        enqueue(ask)
        return askNext()
      }
      // What a source did wrong is the source's; everything else (a full disk) ends the fetch.
      if (!(error instanceof CairnError) || error.verdict === undefined) return end(error)
      if (codeOf(error) === 'BLOCK_NOT_HELD') ask.without.add(source.peer)
      enqueue(ask)
      askNext()
    }
  }

  const finish = (node: WalkNode, local: Uint8Array | number, source: string | undefined): void => {
    try {
      count(node, local)
      onProgress?.({ bytes, total, source })
      pump()
    } catch (error) {
      end(error)
    }
  }

  const count = (node: WalkNode, local: Uint8Array | number): void => {
    const size = typeof local === 'number' ? local : local.length
    bytes += size
    if (maxBytes !== undefined && bytes > maxBytes) {
      throw transferError('DAG_TOO_LARGE', { cid: `${root}`, most: maxBytes })
    }
    let below = 0
    if (node.inner && typeof local !== 'number') {
      try {
        below = walk.expand(node, local)
      } catch (error) {
        throw transferError('DAG_INVALID', { cid: `${root}`, why: messageOf(error) }, error)
      }
    }
    total ??= size + below
    unfinished -= 1
    unfinishedBytes -= node.expected
    walk.finish(node)
  }

  const beImpatient = (usable: readonly Source[]): void => {
    const hopeless =
      wants.size === 0 &&
      asking.length > 0 &&
      !asking.some(({ without }) => usable.some(({ peer }) => !without.has(peer)))
    if (!hopeless) {
      stopPatience?.()
      stopPatience = undefined
    } else if (patienceMs === 0 && ![...held.values()].includes('asking')) {
      end(transferError('NO_SOURCE', { cid: `${root}` }))
    } else {
      stopPatience ??= clock.after(patienceMs, () =>
        end(transferError('NO_SOURCE', { cid: `${root}` })),
      )
    }
  }

  const invalid = (why: string): never => {
    throw transferError('DAG_INVALID', { cid: `${root}`, why })
  }

  const offChange = sources.onChange((fresh) => {
    // A device that connects again may have more than before.
    if (fresh !== undefined) {
      held.delete(fresh)
      for (const { without } of asking) without.delete(fresh)
    }
    askNext()
  })
  if (signal?.aborted === true) end(signal.reason)
  else signal?.addEventListener('abort', aborted)
  pump()
  return promise
}

function hasRoom(source: Source): boolean {
  return source.window.open && !source.busy
}

/** The source with the most room among those that may have it. */
function choose(usable: readonly Source[], { without }: Ask): Source | undefined {
  let best: Source | undefined
  for (const source of usable) {
    if (!hasRoom(source) || without.has(source.peer)) continue
    if (best === undefined || source.window.room > best.window.room) best = source
  }
  return best
}
