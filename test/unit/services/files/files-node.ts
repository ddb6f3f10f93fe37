/** A device with chain, content and file verbs, without a network: devices hand each other records and blocks. */
import { join } from 'node:path'
import type { CID } from 'multiformats/cid'
import { silentLogger } from '../../../../src/common/logger.ts'
import { createDirectory } from '../../../../src/services/explorer/directory.ts'
import { type Collector, createCollector } from '../../../../src/services/files/collector.ts'
import type { FilesComponents, Publisher } from '../../../../src/services/files/components.ts'
import {
  createFilesService,
  type FilesService,
} from '../../../../src/services/files/files-service.ts'
import { createVoting, type VotingService } from '../../../../src/services/voting.ts'
import { createChainStore } from '../../../../src/storage/chain-store.ts'
import { openDatabase } from '../../../../src/storage/database.ts'
import { createPins, type PinBook } from '../../../../src/storage/pins.ts'
import { dagBlocks } from '../../../../src/storage/pins-walk.ts'
import { type ChainNode, createChainNode, handClock } from '../../../helpers/chain-node.ts'
import { openStore, type TestStore, withDirectory } from '../../storage/blockstore-helpers.ts'

export interface FilesNode extends TestStore {
  readonly node: ChainNode
  readonly files: FilesService
  readonly votes: VotingService
  readonly pins: PinBook
  readonly collector: Collector
  /** Devices whose content this one can fetch. */
  readonly sources: FilesNode[]
  /** What `publish` does; replaceable. */
  publisher: Publisher
  /** Gives this device's records to another one. */
  tell(other: FilesNode): Promise<void>
}

/** These devices keep public files only. */
const noSecrets: FilesComponents['secrets'] = {
  newKeys: () => Promise.reject(new Error('no keys')),
  seal: () => Promise.reject(new Error('no keys')),
  requestAccess: () => Promise.reject(new Error('no keys')),
  contentKey: () => Promise.reject(new Error('no keys')),
}

export type TestClock = ReturnType<typeof handClock>

/** The time of the tests' clock; content's times are the system's. */
export const START = 1_700_000_100_000

async function createFilesNode(name: string, dir: string, clock: TestClock): Promise<FilesNode> {
  const { db } = openDatabase({ path: ':memory:', now: clock.now, logger: silentLogger })
  const node = createChainNode(name, { clock, store: createChainStore(db) })
  const test = await openStore(join(dir, name))
  const pins = createPins({ db, store: test.store, now: clock.now })
  const sources: FilesNode[] = []
  const from = async (cid: CID): Promise<Uint8Array> => {
    for (const source of sources) {
      if (await source.store.has(cid)) return source.store.bytes(cid)
    }
    throw Object.assign(new Error('nobody has it'), { code: 'NO_SOURCE' })
  }
  const components: FilesComponents = {
    store: node.store,
    records: { publish: (statement, signal) => made.publisher.publish(statement, signal) },
    content: test.store,
    pins,
    directory: createDirectory({ projections: node.store.projections, events: node.events }),
    self: { device: node.device, user: () => node.chain.user },
    secrets: noSecrets,
    transfer: {
      fetchDag: async (root, options) => {
        const read = async (cid: CID): Promise<Uint8Array> => {
          if (!(await test.store.has(cid))) await test.store.put(cid, await from(cid))
          return test.store.bytes(cid)
        }
        for await (const { cid } of dagBlocks(root.toString(), read)) {
          options?.signal?.throwIfAborted()
          await read(cid)
        }
      },
      holders: async (root) =>
        new Map(
          sources.map((source) => [
            source.node.device as string,
            source.pins.isPinned(root.toString() as never) ? 'complete' : 'none',
          ]),
        ),
      broker: { retrieve: (cid) => from(cid) },
    },
    events: node.events,
    clock,
    logger: silentLogger,
  }
  const made: FilesNode = {
    ...test,
    node,
    files: createFilesService(components),
    votes: createVoting(components),
    pins,
    collector: createCollector({
      store: node.store,
      pins,
      content: test.store,
      events: node.events,
      clock,
      logger: silentLogger,
    }),
    sources,
    publisher: { publish: (statement, signal) => node.chain.publish(statement, signal) },
    tell: async (other) => {
      const all = node.store.projections.recentRecords({ limit: 1000 }).map(({ record }) => record)
      const ordered = all.sort((a, b) => a.sequence - b.sequence).map(({ bytes }) => bytes)
      await other.node.chain.acceptRecords(ordered, node.device)
    },
  }
  await node.chain.start()
  return made
}

/** Ada founded the network and is its first user; Bob joined it. Both know of each other. */
export function withAdaAndBob(
  run: (ada: FilesNode, bob: FilesNode, clock: TestClock) => Promise<void>,
): Promise<void> {
  return withDirectory(async (dir) => {
    const clock = handClock(START)
    const ada = await createFilesNode('ada', dir, clock)
    const bob = await createFilesNode('bob', dir, clock)
    await ada.node.join()
    await bob.node.join()
    await ada.tell(bob)
    await bob.tell(ada)
    await run(ada, bob, clock)
    await ada.node.chain.stop()
    await bob.node.chain.stop()
  })
}

export async function* streamOf(...parts: readonly (Uint8Array | string)[]) {
  for (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : part
}

export async function textOf(parts: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = []
  for await (const part of parts) all.push(part)
  return Buffer.concat(all).toString()
}
