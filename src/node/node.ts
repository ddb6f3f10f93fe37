/**
 * One node: its parts, joined and started in order. Wiring only; every decision lives in a part.
 *
 * @example
 * const node = await createNode({ dataDir, name: 'Ada', deviceName: 'laptop', logger }, signal)
 * await node.start()
 * await node.stop()
 */
import { join } from 'node:path'
import { encodeParams } from '../chain/params.ts'
import { codeOf, messageOf } from '../common/errors.ts'
import { createEvents, type Events } from '../common/events.ts'
import { type Startable, startAll, stopAll } from '../common/lifecycle.ts'
import { createNetwork } from '../network/network.ts'
import { createTransfer, type Transfer } from '../network/transfer/transfer.ts'
import type { Access } from '../services/access/access.ts'
import { createAdmission } from '../services/admission.ts'
import { createAnnouncer } from '../services/announcer.ts'
import {
  type CertificatesService,
  createCertificates,
} from '../services/certificates/certificates.ts'
import { createChainService } from '../services/chain/chain-service.ts'
import { createRecovery } from '../services/chain/recovery.ts'
import type { NodeEvents } from '../services/events.ts'
import { createExplorer, type Explorer } from '../services/explorer/explorer.ts'
import { createPeersView, type PeersView } from '../services/explorer/peers-view.ts'
import { createVerifyChain, type VerifyChain } from '../services/explorer/verify-chain.ts'
import { createCollector } from '../services/files/collector.ts'
import type { FilesService } from '../services/files/files-service.ts'
import { createIntegrity } from '../services/integrity.ts'
import type { LegacyService } from '../services/legacy/legacy.ts'
import { createMemoryTrim } from '../services/memory-trim.ts'
import { createMiner } from '../services/miner.ts'
import { createMining } from '../services/mining.ts'
import type { DevicesService } from '../services/people/devices.ts'
import type { InvitesService } from '../services/people/invites.ts'
import type { RecoveryKit } from '../services/people/recovery-kit.ts'
import { createVerifier } from '../services/verifier.ts'
import type { VotingService } from '../services/voting.ts'
import { createNodeBlockstore } from '../storage/chain-blocks.ts'
import { condemnDatabase } from '../storage/database.ts'
import type { Keystore } from '../storage/keystore.ts'
import { damagedRows } from '../storage/row-check.ts'
import { startError } from './chain-database.ts'
import { createFileServices } from './file-services.ts'
import { type Ground, openGround } from './ground.ts'
import { createNodeBackups, type NodeBackups } from './node-backups.ts'
import { anyPort, DEFAULT_LISTEN, type NodeOptions } from './options.ts'
import { createPeerMemory, othersOf } from './peer-memory.ts'
import { createPeopleServices } from './people-services.ts'
import { createPublicContent, type PublicContent } from './public-content.ts'
import { restoreAtStart } from './restore-at-start.ts'
import type { RestoredDirectory } from './restoring.ts'
import { createStatus, type Identity, type StatusService } from './status.ts'
import { createTakingIn } from './taking-in.ts'

export interface CairnNode extends Startable {
  readonly identity: Identity
  /** Whether this start founded the network. */
  readonly founded: boolean
  /** What this start has brought back from backups. */
  readonly restored: RestoredDirectory | undefined
  readonly backups: NodeBackups
  readonly chain: Explorer['chain'] & { readonly verify: VerifyChain }
  readonly records: Explorer['records']
  readonly members: Explorer['members']
  readonly files: FilesService
  readonly votes: VotingService
  readonly certificates: CertificatesService
  readonly legacy: LegacyService
  readonly invites: InvitesService
  readonly devices: DevicesService
  readonly grants: Access['grants']
  readonly holders: Access['holders']
  readonly recovery: RecoveryKit
  /** Protection of the keys at rest. */
  readonly keys: Pick<Keystore, 'protected' | 'protect'>
  readonly peers: PeersView
  readonly content: PublicContent
  readonly events: Events<NodeEvents>
  readonly status: StatusService['status']
  readonly check: StatusService['check']
}

/**
 * Opens the data directory and joins the parts; nothing listens before `start`.
 *
 * @param signal - ends the wait for a peer that tells the parameters of a network that is joined
 * @throws storage errors (`DATA_DIRECTORY_*`, `DATA_FORMAT_*`, `KEYSTORE_DAMAGED` …), `PEERS_FILE*`,
 *   `NETWORK_*`, `PEER_ADDRESS`; nothing stays open then
 */
export async function createNode(options: NodeOptions, signal: AbortSignal): Promise<CairnNode> {
  const events = createEvents<NodeEvents>((error) => {
    options.logger.error('A listener failed', { code: codeOf(error), why: messageOf(error) })
  })
  const onDamaged = (cid: { toString(): string }): void =>
    events.emit('copy:damaged', { cid: cid.toString() })
  const restored = await restoreAtStart(options, signal)
  const ground = await openGround(options, onDamaged, signal)
  try {
    return await assemble(options, ground, events, restored)
  } catch (error) {
    ground.close()
    throw startError(error, ground.directory.database)
  }
}

async function assemble(
  options: NodeOptions,
  ground: Ground,
  events: Events<NodeEvents>,
  restored: RestoredDirectory | undefined,
): Promise<CairnNode> {
  const { store, journal, content, pins, identity: keys, params, clock, logger } = ground
  const verifier = createVerifier()
  const chain = createChainService(
    {
      store,
      journal,
      verifier,
      signer: keys.signer,
      clock,
      events,
      logger,
      vouched: (admission) => people.gate.isProven(admission),
      admits: (admission) => people.gate.limit.admits(admission),
    },
    { params },
  )
  const { people, directory, self, access, recovery, hold, connected } = createPeopleServices(
    ground,
    {
      chain,
      events,
      network: () => network,
    },
  )
  const firstSync = Promise.withResolvers<void>()
  const listen = options.listen ?? ground.peers?.listen ?? DEFAULT_LISTEN
  let transfer: Transfer | undefined
  const network = await createNetwork(
    {
      keySeed: keys.keySeed,
      chain,
      blockstore: createNodeBlockstore({ chain: store, content }),
      memory: createPeerMemory(join(ground.directory.path, 'peers.json'), logger),
      clock,
      logger,
      decisions: people.gate,
      pairing: people.pairing,
      farewells: people.farewells,
      keyHolder: access.keyHolder,
      transfer: (libp2p) => {
        transfer = createTransfer(
          {
            libp2p,
            blockstore: content,
            clock,
            logger,
            isComplete: (root) => replication.isComplete(root),
          },
          options.uploadBytesPerSecond === undefined
            ? {}
            : { uploadBytesPerSecond: options.uploadBytesPerSecond },
        )
        return transfer
      },
      onConnect: (device) => events.emit('peer:connect', { device }),
      onDisconnect: (device) => events.emit('peer:disconnect', { device }),
      onSync: ({ peer, clockDifference }) => {
        chain.noteClock(peer, clockDifference)
        hold.synced(peer)
        firstSync.resolve()
      },
    },
    {
      network: ground.network,
      listen,
      announce: options.announce ?? [],
      bootstrap: ground.peers?.bootstrap ?? [],
      lan: options.lan ?? ground.peers?.lan ?? false,
    },
  )
  if (transfer === undefined) throw new Error('the network makes the transfer')
  people.gate.onChange(() => network.host.recheck())

  const explorer = createExplorer(
    { store, directory, self, connected, events, clock },
    { network: ground.network, params },
  )
  const { replication, contents, ...fileServices } = createFileServices(
    {
      store,
      records: chain,
      secrets: access.secrets,
      content,
      pins,
      directory,
      self,
      transfer,
      events,
      clock,
      logger,
    },
    params,
  )
  const verify = createVerifyChain({ store, verifier }, params)
  const miner = createMiner({ logger, clock })
  const mining = createMining({
    chain,
    solver: miner,
    clock,
    events,
    logger,
  })
  const identity: Identity = {
    network: ground.network,
    device: keys.device,
    get deviceName() {
      return directory.device(keys.device).name ?? options.deviceName
    },
    get user() {
      return chain.user ?? null
    },
    get userName() {
      return chain.user === undefined ? null : directory.user(chain.user).name
    },
  }
  const backups = createNodeBackups(
    {
      contents,
      store,
      chain,
      verifier,
      signer: keys.signer,
      events,
      keystore: ground.keystore,
      person: async () => ({
        params: encodeParams(params),
        userName: identity.userName ?? options.name,
        deviceName: identity.deviceName,
        restore: ground.keystore.get('restore'),
        userKeys: await access.userSecrets(),
        peers: othersOf(network.peers.exportPeers().bootstrap, keys.device),
      }),
      clock,
      logger,
    },
    {
      params,
      dataDir: ground.directory.path,
      listen: anyPort(listen),
      options: options.backups,
      damaged: ground.damaged !== undefined || ground.lost,
    },
  )
  const status = createStatus(
    {
      store,
      chain,
      explorer,
      network,
      mining,
      pins,
      events,
      clock,
      identity: () => identity,
      verify,
      backups: () => backups.status(),
      revoked: () => people.farewells.own ?? null,
    },
    {
      version: options.version,
      dataDir: ground.directory.path,
      maxStorageBytes: options.maxStorageBytes,
      damaged: ground.damaged,
    },
  )
  const takingIn = createTakingIn(
    {
      store,
      firstSync: firstSync.promise,
      clock,
      logger,
      secret: () => ground.keystore.get('restore'),
      network,
    },
    { device: keys.device, addresses: ground.peers?.bootstrap ?? [] },
  )
  const parts: Startable[] = [
    content,
    { start: () => chain.start(), stop: () => chain.stop() },
    createRecovery({ chain, logger }, { device: keys.device, damaged: ground.damaged }),
    people.gate,
    people.farewells,
    backups,
    hold,
    network,
    takingIn,
    createAnnouncer({ events, gossip: network.gossip, store, logger }),
    createAdmission(
      {
        chain,
        clock,
        signedBefore: () => store.ownNewest(keys.device) !== undefined,
        hasPeers: () => network.peers.list().length > 0,
        firstSync: firstSync.promise,
        logger,
      },
      {
        statement: () => keys.admission({ user: options.name, device: options.deviceName }, params),
      },
    ),
    ...access.parts,
    people.expiredInvites,
    miner,
    mining,
    ...(options.policy === 'nothing' ? [] : [replication]),
    createIntegrity({
      damagedRows: () => damagedRows(ground.db),
      condemn: () => condemnDatabase(ground.directory.database),
      clock,
      events,
      logger,
    }),
    createCollector({ store, pins, content, events, clock, logger }),
    createMemoryTrim({ clock }),
  ]
  return {
    identity,
    founded: ground.founded,
    restored,
    backups,
    chain: { ...explorer.chain, verify },
    records: explorer.records,
    members: explorer.members,
    ...fileServices,
    certificates: createCertificates(
      { store, signer: keys.signer, clock, metadataKeyOf: access.keys.metadataKeyOf },
      params,
    ),
    invites: people.invites,
    devices: access.devices,
    grants: access.grants,
    holders: access.holders,
    recovery,
    keys: ground.keystore,
    peers: createPeersView({ peers: network.peers, directory }, params),
    content: createPublicContent(
      { store, content, broker: transfer.broker, events, clock },
      params,
    ),
    events,
    status: status.status,
    check: status.check,
    start: async () => {
      try {
        await startAll(parts)
      } catch (error) {
        ground.close()
        throw startError(error, ground.directory.database)
      }
    },
    stop: async () => {
      try {
        await stopAll(parts)
        await verifier.stop()
      } finally {
        ground.close()
      }
    },
  }
}
