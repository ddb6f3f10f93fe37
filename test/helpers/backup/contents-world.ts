/** A node's chain with contents of files beside it, and what backs them up. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ContentId, FileId } from '../../../src/chain/ids.ts'
import type { Statement } from '../../../src/chain/record.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import {
  type BroughtContents,
  bringContents,
  type LocalContents,
} from '../../../src/services/backup/contents/bringing.ts'
import {
  createPlaceContents,
  type PlaceContents,
  type PlaceContentsInit,
} from '../../../src/services/backup/contents/contents.ts'
import { createMarks, type MarkOf } from '../../../src/services/backup/contents/marks.ts'
import { createWanted, type Wanted } from '../../../src/services/backup/contents/wanted.ts'
import type { Destination } from '../../../src/services/backup/destination.ts'
import { createDirectory } from '../../../src/services/explorer/directory.ts'
import { createCopies } from '../../../src/services/files/copies.ts'
import { readContent } from '../../../src/services/files/export.ts'
import { importContent } from '../../../src/services/files/import.ts'
import { createContentBlockstore } from '../../../src/storage/blockstore.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import { createPins, type PinBook } from '../../../src/storage/pins.ts'
import { type BackupWorld, createBackupWorld, key } from '../backup-world.ts'

const { signal } = new AbortController()

/** A disk with contents. */
export interface Disk extends LocalContents {
  readonly pins: PinBook
  readonly wanted: Wanted
  /** All bytes of a file. */
  read(root: ContentId, size: number): Promise<Uint8Array>
}

export interface Added {
  readonly file: FileId
  readonly root: ContentId
  readonly size: number
}

export interface ContentsWorld extends BackupWorld {
  readonly disk: Disk
  readonly markOf: MarkOf
  add(name: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<Added>
  remove(file: FileId): Promise<void>
  /** An empty disk. */
  wiped(): Promise<Disk>
  /** What backs contents up to a destination. */
  place(
    destination: Destination,
    init?: Partial<PlaceContentsInit> & { disk?: Disk },
  ): PlaceContents
  /** Brings contents to a disk. */
  bring(disk: Disk, ...from: PlaceContents[]): Promise<BroughtContents>
  end(): Promise<void>
}

export async function createContentsWorld(): Promise<ContentsWorld> {
  const world = await createBackupWorld()
  const { node, clock } = world
  const markOf = createMarks(node.params)
  const directory = await mkdtemp(join(tmpdir(), 'cairn-contents-'))
  let disks = 0

  const openDisk = async (): Promise<Disk> => {
    const content = createContentBlockstore(
      { logger: silentLogger, now: clock.now },
      { dir: join(directory, String(disks++)) },
    )
    await content.start()
    const { db } = openDatabase({ path: ':memory:', now: clock.now, logger: silentLogger })
    const pins = createPins({ db, store: content, now: clock.now })
    const nobody = (): never => assert.fail('nobody is asked for keys')
    const { complete } = createCopies({
      store: node.store,
      records: { publish: (statement) => node.publish(statement) },
      content,
      pins,
      directory: createDirectory({ projections: node.store.projections, events: node.events }),
      self: { device: node.device, user: () => node.chain.user },
      secrets: { newKeys: nobody, seal: nobody, requestAccess: nobody, contentKey: nobody },
      events: node.events,
      clock,
      logger: silentLogger,
    })
    return {
      content,
      pins,
      complete,
      wanted: createWanted({ store: node.store, pins, clock }),
      read: async (root, size) => {
        const parts: Uint8Array[] = []
        for await (const part of readContent((cid) => content.bytes(cid), root, { size }, signal)) {
          parts.push(Uint8Array.from(part))
        }
        return new Uint8Array(Buffer.concat(parts))
      },
    }
  }
  const disk = await openDisk()

  return {
    ...world,
    disk,
    markOf,
    add: async (name, bytes) => {
      const one = async function* () {
        if (bytes instanceof Uint8Array) yield bytes
        else yield* bytes
      }
      const imported = await importContent(disk.content, one(), { signal })
      await disk.content.flush()
      const { root, size, storedSize, sha256 } = imported
      disk.pins.pinFlushed(root)
      const about = { visibility: 'public', name, folder: [], mediaType: 'text/plain' }
      const body = { root, storedSize, size, sha256, ...about }
      const record = await node.publish({ type: 'file.add', body } as unknown as Statement)
      return { file: record.id as unknown as FileId, root, size }
    },
    remove: async (file) => {
      const parents = node.store.projections.file(file)?.heads ?? []
      await node.publish({ type: 'file.remove', body: { file, parents } } as unknown as Statement)
    },
    wiped: openDisk,
    place: (destination, { disk: from = disk, ...init } = {}) =>
      createPlaceContents(
        { ...world.components, local: from, wanted: from.wanted, markOf },
        destination,
        {
          network: world.owner.network,
          user: world.owner.user,
          key,
          isOn: true,
          isChainWaiting: () => false,
          ...init,
        },
      ),
    bring: (to, ...from) =>
      bringContents({ ...to, markOf, logger: silentLogger }, { from, key }, signal),
    end: async () => {
      await rm(directory, { recursive: true, force: true })
    },
  }
}
