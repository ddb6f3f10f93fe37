/** What a node stands on: its directory, keys, network, database, journal and content store, opened in order. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { CID } from 'multiformats/cid'
import type { NetworkId } from '../chain/ids.ts'
import { type NetworkParams, networkIdOf } from '../chain/params.ts'
import { type Clock, systemClock } from '../common/clock.ts'
import { codeOf } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import { type PeersConfig, readPeersFile } from '../network/peers-file.ts'
import { type ContentBlockstore, createContentBlockstore } from '../storage/blockstore.ts'
import type { ChainStore } from '../storage/chain-store.ts'
import { type DataDirectory, openDataDirectory } from '../storage/data-directory.ts'
import { storageError } from '../storage/errors.ts'
import { type Journal, openJournal } from '../storage/journal.ts'
import { type Keystore, openKeystore } from '../storage/keystore.ts'
import { createPins, type PinBook } from '../storage/pins.ts'
import type { Database } from '../storage/sqlite.ts'
import { openChain } from './chain-database.ts'
import { type NodeIdentity, openIdentity } from './identity.ts'
import { chooseNetwork } from './network-choice.ts'
import type { NodeOptions } from './options.ts'

export interface Ground {
  readonly directory: DataDirectory
  readonly identity: NodeIdentity
  readonly keystore: Keystore
  readonly peers: PeersConfig | undefined
  readonly params: NetworkParams
  readonly network: NetworkId
  /** Whether this start founded the network. */
  readonly founded: boolean
  readonly db: Database
  readonly store: ChainStore
  readonly journal: Journal
  readonly content: ContentBlockstore
  readonly pins: PinBook
  /** Where a damaged database was put aside. */
  readonly damaged: string | undefined
  /** There was a database, and it is gone: this device has signed more than its admission. */
  readonly lost: boolean
  readonly clock: Clock
  readonly logger: Logger
  /** Closes everything, the lock last. Idempotent. */
  close(): void
}

/**
 * @param onDamaged - told of each block of content that was found damaged
 * @throws storage errors (`DATA_DIRECTORY_*`, `DATA_FORMAT_*`, `KEYSTORE_DAMAGED` …), `PEERS_FILE*`,
 *   `NETWORK_*`; nothing stays open then
 */
export async function openGround(
  options: NodeOptions,
  onDamaged: (cid: CID) => void,
  signal: AbortSignal,
): Promise<Ground> {
  const { logger, clock = systemClock } = options
  const peers =
    options.peersFile === undefined ? undefined : await readPeersFile(options.peersFile, signal)
  const directory = openDataDirectory(options.dataDir)
  const open: (() => void)[] = [() => directory.release()]
  const close = (): void => {
    for (const end of open.splice(0).reverse()) end()
  }
  try {
    const keystore = openKeystore({ path: directory.keys, randomBytes: clock.randomBytes, logger })
    await unlock(keystore, options.passphrase, directory.keys)
    const identity = openIdentity(keystore)
    const { params, founded } = await chooseNetwork(
      { keySeed: identity.keySeed, device: identity.device, clock, logger },
      {
        dataDir: directory.path,
        peers,
        difficultyFloor: options.difficultyFloor,
        admission: options.admission,
      },
      signal,
    )
    const isThere = existsSync(directory.database)
    const { db, store, damaged } = openChain(
      { clock, logger },
      { path: directory.database, params },
    )
    open.push(() => db.close())
    const journal = openJournal(directory.journal, { logger })
    open.push(() => journal.close())
    const content = createContentBlockstore(
      { logger, onDamaged, now: clock.now },
      { dir: join(directory.content) },
    )
    return {
      directory,
      identity,
      keystore,
      peers,
      params,
      network: networkIdOf(params),
      founded,
      db,
      store,
      journal,
      content,
      pins: createPins({ db, store: content, now: clock.now }),
      damaged,
      lost: !isThere && journal.read().length > 1,
      clock,
      logger,
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}

/** @throws `KEYS_LOCKED`, `PASSPHRASE_WRONG` when no other is given, `LOCKED_*` */
async function unlock(
  keystore: Keystore,
  ask: NodeOptions['passphrase'],
  path: string,
): Promise<void> {
  let wrong: unknown
  while (keystore.locked) {
    const passphrase = await ask?.(wrong !== undefined)
    if (passphrase === undefined) throw wrong ?? storageError('KEYS_LOCKED', { path })
    try {
      await keystore.unlock(passphrase)
    } catch (error) {
      if (codeOf(error) !== 'PASSPHRASE_WRONG') throw error
      wrong = error
    }
  }
}
