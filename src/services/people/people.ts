/** What decides who belongs to the network, put together: the gate, invites, and answers to who wants in. */
import { type NetworkParams, networkIdOf } from '../../chain/params.ts'
import type { Clock } from '../../common/clock.ts'
import type { Events } from '../../common/events.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/logger.ts'
import type { PairDecisions } from '../../network/pair/server.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { ChainService } from '../chain/chain-service.ts'
import type { Signer } from '../chain/own-records.ts'
import type { NodeEvents } from '../events.ts'
import type { Directory } from '../explorer/directory.ts'
import { createExpiredInvites } from './expired-invites.ts'
import { createFarewells, type FarewellService } from './farewells.ts'
import { createGate, type Gate } from './gate.ts'
import { createInviteBook } from './invite-book.ts'
import { createInvites, type InvitesService } from './invites.ts'
import { createPairing } from './pairing.ts'
import { createPeopleIndex, type PeopleIndex } from './people-index.ts'

export interface People {
  /** Start it when the chain is there, before the network. */
  readonly gate: Gate
  readonly index: PeopleIndex
  readonly invites: InvitesService
  readonly pairing: PairDecisions
  /** Start it when the gate is open, before the network. */
  readonly farewells: FarewellService
  /** Takes back what expired; start it after the network. */
  readonly expiredInvites: Startable
}

export function createPeople(
  components: {
    readonly store: ChainStore
    readonly events: Events<NodeEvents>
    readonly chain: Pick<ChainService, 'publish' | 'user' | 'acceptRecords'>
    readonly signer: Signer
    readonly clock: Clock
    readonly logger: Logger
    readonly directory: Pick<Directory, 'device'>
    readonly announce: (record: Uint8Array) => void
    readonly addresses: () => readonly string[]
  },
  init: { readonly params: NetworkParams },
): People {
  const { store, events, chain, signer, clock, logger, directory, announce, addresses } = components
  const { params } = init
  const index = createPeopleIndex({ store, events })
  const gate = createGate({ store, index, events, clock }, { params, device: signer.device })
  const book = createInviteBook({ store, index, isProven: gate.isProven, clock })
  return {
    gate,
    index,
    farewells: createFarewells(
      {
        store,
        index,
        gate,
        directory,
        accept: (records, from) => chain.acceptRecords(records, from),
        events,
        logger,
      },
      { network: networkIdOf(params), device: signer.device },
    ),
    expiredInvites: createExpiredInvites(
      { store, index, chain, clock, logger },
      { device: signer.device },
    ),
    invites: createInvites(
      { store, index, book, limit: gate.limit, chain, clock, addresses },
      { network: networkIdOf(params) },
    ),
    pairing: createPairing(
      {
        store,
        index,
        gate,
        book,
        signer,
        clock,
        accept: (record, from) => chain.acceptRecords([record], from),
        announce,
        addresses,
      },
      { params },
    ),
  }
}
