/** What the file verbs need of the node. */
import type { DeviceId, UserId } from '../../chain/ids.ts'
import type { SignedRecord, Statement } from '../../chain/record.ts'
import type { Clock } from '../../common/clock.ts'
import type { Events } from '../../common/events.ts'
import type { Logger } from '../../common/logger.ts'
import type { Transfer } from '../../network/transfer/transfer.ts'
import type { ContentBlockstore } from '../../storage/blockstore.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { Pins } from '../../storage/pins.ts'
import type { NodeEvents } from '../events.ts'
import type { Directory } from '../explorer/directory.ts'
import type { FileSecrets } from './secrets.ts'

/** Signs and stores a statement; durable when it resolves. */
export interface Publisher {
  publish(statement: Statement, signal?: AbortSignal): Promise<SignedRecord>
}

export interface FilesComponents {
  readonly store: Pick<ChainStore, 'projections' | 'state' | 'setDetails'>
  readonly records: Publisher
  readonly content: ContentBlockstore
  readonly pins: Pins
  readonly directory: Directory
  readonly secrets: FileSecrets
  readonly self: { readonly device: DeviceId; user(): UserId | undefined }
  /** The way to other devices; missing: only what is here can be read. */
  readonly transfer?: {
    readonly fetchDag: Transfer['fetchDag']
    readonly holders: Transfer['holders']
    readonly broker: Pick<Transfer['broker'], 'retrieve'>
  }
  readonly events: Events<NodeEvents>
  readonly clock: Clock
  readonly logger: Logger
}
