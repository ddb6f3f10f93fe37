/**
 * Which content blocks lie below the roots of public files. Made when somebody first asks for a block that is no root,
 * then kept in step with what is added and fetched: whoever asks an open port for invented CIDs must not cost a walk
 * through everything that is public.
 *
 * does not own: whether a root is still public (public-content.ts looks at each answer)
 */
import { CID } from 'multiformats/cid'
import type { ContentId } from '../chain/ids.ts'
import type { SignedRecord } from '../chain/record.ts'
import { type Clock, sleep } from '../common/clock.ts'
import { DAG_PB } from '../common/dag-cbor.ts'
import type { Events } from '../common/events.ts'
import type { NodeEvents } from '../services/events.ts'
import type { ChainStore } from '../storage/chain-store.ts'
import { dagBlocks, type ReadNode } from '../storage/pins-walk.ts'
import type { FileEntry } from '../storage/projections.ts'

/** Blocks that are known, each once for every root that it lies below: some 250 GiB of content, 40 MB of memory. */
const MAX_BLOCKS = 250_000
/** Files looked through. */
const MAX_FILES = 10_000
/** Files read between two turns of the event loop. */
const PAGE_FILES = 200
/** Bytes of a digest that stand for a block: nobody finds a second one with the same. */
const KEY_BYTES = 16

export interface PublicBlocks {
  /** Roots of files that were public when they were looked at, below which the block lies. */
  rootsOf(block: CID): Promise<readonly ContentId[]>
}

export function createPublicBlocks(
  components: {
    readonly store: Pick<ChainStore, 'record'> & {
      readonly projections: Pick<ChainStore['projections'], 'listFiles'>
    }
    readonly read: ReadNode
    readonly events: Events<NodeEvents>
    readonly clock: Clock
  },
  { maxBlocks = MAX_BLOCKS }: { readonly maxBlocks?: number } = {},
): PublicBlocks {
  const { store, read, events, clock } = components
  const below = new Map<string, ContentId[]>()
  let count = 0
  /** Roots to walk: they are new, or more of them is here. */
  const due = new Set<ContentId>()
  let all = true
  /** Something that is known may not be public any more. */
  let outdated = false
  let begun = false
  let running: Promise<void> | undefined

  const look = (record: SignedRecord | undefined): void => {
    if (!begun || record === undefined) return
    if (record.type === 'file.update' || record.type === 'file.remove') outdated = true
    if (record.type !== 'file.add' && record.type !== 'file.update') return
    if (record.body.visibility === 'public') note(record.body.root)
  }
  const note = (root: ContentId): void => {
    if (CID.parse(root).code !== DAG_PB) return
    due.add(root)
    if (due.size <= MAX_FILES) return
    due.clear()
    all = true
  }
  events.on('record:pending', ({ record }) => look(record))
  events.on('record:confirmed', ({ record, type }) => {
    if (begun && type.startsWith('file.')) look(store.record(record)?.record)
  })
  events.on('copy:verified', ({ root }) => {
    if (begun) note(root as ContentId)
  })

  const walk = async (root: ContentId): Promise<void> => {
    for await (const { cid } of dagBlocks(root, read)) {
      if (count >= maxBlocks) return
      const key = keyOf(cid)
      const roots = below.get(key)
      if (roots?.includes(root) === true) continue
      below.set(key, roots === undefined ? [root] : [...roots, root])
      count += 1
    }
  }
  const list = async (): Promise<void> => {
    let after: FileEntry | undefined
    for (let seen = 0; seen < MAX_FILES; seen += PAGE_FILES) {
      const query = { limit: PAGE_FILES, ...(after === undefined ? {} : { after: after.file }) }
      const page = store.projections.listFiles(query)
      for (const { record } of page) look(record)
      after = page.at(-1)
      if (after === undefined || page.length < PAGE_FILES) return
      await sleep(clock, 0)
    }
  }
  const run = async (): Promise<void> => {
    begun = true
    if (count >= maxBlocks && outdated) {
      below.clear()
      count = 0
      all = true
    }
    if (all) {
      all = false
      await list()
      outdated = false
    }
    for (const root of due) {
      due.delete(root)
      await walk(root)
    }
  }

  return {
    rootsOf: async (block) => {
      if (running === undefined && (all || due.size > 0 || (count >= maxBlocks && outdated))) {
        running = run().finally(() => {
          running = undefined
        })
      }
      await running
      return below.get(keyOf(block)) ?? []
    },
  }
}

function keyOf(block: CID): string {
  return Buffer.from(block.multihash.digest.subarray(0, KEY_BYTES)).toString('latin1')
}
