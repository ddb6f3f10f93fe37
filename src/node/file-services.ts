/** The services that work on files, joined to each other. */
import type { NetworkParams } from '../chain/params.ts'
import type { Transfer } from '../network/transfer/transfer.ts'
import type { LocalContents } from '../services/backup/contents/bringing.ts'
import type { FilesComponents } from '../services/files/components.ts'
import { createCopies } from '../services/files/copies.ts'
import { createFilesService, type FilesService } from '../services/files/files-service.ts'
import { createLegacy, type LegacyService } from '../services/legacy/legacy.ts'
import { createReplication, type Replication } from '../services/replication/replication.ts'
import { createVoting, type VotingService } from '../services/voting.ts'
import type { ChainStore } from '../storage/chain-store.ts'

export interface FileServices {
  readonly files: FilesService
  readonly votes: VotingService
  readonly legacy: LegacyService
  readonly replication: Replication
  /** What backups hold of them. */
  readonly contents: LocalContents
}

export function createFileServices(
  components: FilesComponents & { readonly store: ChainStore; readonly transfer: Transfer },
  params: NetworkParams,
): FileServices {
  const { store, records, directory, content, pins, transfer, events, clock, logger } = components
  const copies = createCopies(components)
  const files = createFilesService(components, copies)
  const replication = createReplication({
    projections: store.projections,
    pins,
    content,
    complete: copies.complete,
    transfer,
    events,
    clock,
    logger,
  })
  return {
    files,
    votes: createVoting(components),
    legacy: createLegacy({ store, records, files, directory, params }),
    replication,
    contents: { content, pins, complete: copies.complete },
  }
}
