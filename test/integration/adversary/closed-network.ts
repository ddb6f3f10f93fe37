/** A network that lets in by invite: one node of its own process, and members that this process plays by hand. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type Admission, invitedMessage } from '../../../src/chain/admissions.ts'
import type { NetworkId, RecordId } from '../../../src/chain/ids.ts'
import { decodeParams, networkIdOf } from '../../../src/chain/params.ts'
import { systemClock } from '../../../src/common/clock.ts'
import { publicKeyOf, signEd25519 } from '../../../src/common/crypto.ts'
import { decodeInvite } from '../../../src/common/invite-code.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { pairWithMember } from '../../../src/network/pair/client.ts'
import { type ChainNode, createChainNode, seedOf } from '../../helpers/chain-node.ts'
import { eventually, freePort, type RealNode, startRealNode } from '../../helpers/real-node.ts'
import { createRawPeer, type RawPeer } from './raw-peer.ts'
import { type Watched, watch } from './watcher.ts'

/** Milliseconds for anything that needs a block or two on a busy machine. */
export const WAIT_MS = 20_000
const soon = (): AbortSignal => AbortSignal.timeout(WAIT_MS)

export interface Member {
  readonly name: string
  /** The code that it came with. */
  readonly code: string
  readonly node: ChainNode
  readonly peer: RawPeer
}

export interface ClosedNetwork {
  readonly target: RealNode
  readonly network: NetworkId
  readonly address: string
  call<T>(method: string, path: string, json?: unknown): Promise<T>
  /** A code for another person. */
  invite(ms?: number): Promise<{ code: string; id: RecordId }>
  /** Adds a private file; gives its id. */
  addSecret(name: string, content: string): Promise<{ file: RecordId; root: string }>
  /** A client with a key of its choice; stopped at the end. */
  peer(keySeed: Uint8Array, encrypter?: 'noise' | 'tls'): Promise<RawPeer>
  /** Takes a person in, whose device's key is `seedOf(name)`, and connects. */
  member(name: string): Promise<Member>
  /** Whether a record is in the target's chain. */
  confirmed(record: string): Promise<boolean>
  /** What the target looked like while `attack` ran. */
  under(attack: () => Promise<void>): Promise<Watched>
  end(): Promise<void>
}

export async function startClosedNetwork(): Promise<ClosedNetwork> {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-closed-'))
  const peers: RawPeer[] = []
  const target = await startRealNode({
    dataDir: join(dir, 'target'),
    name: 'Ada Lovelace',
    peerPort: await freePort(),
    program: 'source',
    settings: { admission: 'invite', gateway: true, gateway_port: 0 },
  })
  const call = <T>(method: string, path: string, json?: unknown): Promise<T> =>
    target.client.call<T>(method, path, json === undefined ? {} : { json }, soon())
  const { bootstrap } = await call<{ bootstrap: string[] }>('GET', '/api/v1/peers/export')
  const address = bootstrap[0]
  assert.ok(address !== undefined)
  const { identity } = await call<{ identity: { network: NetworkId } }>('GET', '/api/v1/status')
  const { network } = identity
  assert.ok(network)
  const token = (await readFile(join(dir, 'target', 'token'), 'utf8')).trim()

  const made: ClosedNetwork = {
    target,
    network,
    address,
    call,
    invite: async (ms) => {
      const body = { kind: 'member', ...(ms === undefined ? {} : { ms }) }
      const { code, invite } = await call<{ code: string; invite: { invite: string } }>(
        'POST',
        '/api/v1/invites',
        body,
      )
      return { code, id: invite.invite as RecordId }
    },
    addSecret: async (name, content) => {
      const options = { query: { name }, body: Readable.from([Buffer.from(content)]) }
      const { file, root } = await target.client.call<{ file: string; root: string }>(
        'POST',
        '/api/v1/files',
        options,
        soon(),
      )
      await eventually('the file is in the chain', WAIT_MS, () => made.confirmed(file))
      return { file: file as RecordId, root }
    },
    peer: async (keySeed, encrypter = 'noise') => {
      const peer = await createRawPeer({ keySeed, network, address, encrypter })
      peers.push(peer)
      return peer
    },
    member: async (name) => {
      const { code } = await made.invite()
      const node = await takeIn(name, code)
      const peer = await made.peer(seedOf(name))
      assert.ok(await peer.connect(), `${name} is connected`)
      const admission = node.store.ownNewest(node.device)?.record.id ?? ''
      await eventually(`${name} is in the chain`, WAIT_MS, () => made.confirmed(admission))
      await peer.pull(node.chain)
      return { name, code, node, peer }
    },
    confirmed: async (record) => {
      try {
        const { state } = await call<{ state: { status: string } }>(
          'GET',
          `/api/v1/records/${record}`,
        )
        return state.status === 'confirmed'
      } catch {
        return false
      }
    },
    under: async (attack) => {
      const watcher = watch({ api: target.client.url, token, pid: target.pid })
      try {
        await attack()
        // What the attack left behind is done within a moment, or is seen.
        await new Promise((resolve) => setTimeout(resolve, 500))
      } catch (error) {
        await watcher.stop()
        throw error
      }
      return watcher.stop()
    },
    end: async () => {
      await Promise.all(peers.map((peer) => peer.stop()))
      await target.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
  return made
}

async function takeIn(name: string, code: string): Promise<ChainNode> {
  const { secret, addresses } = decodeInvite(code)
  return pairWithMember(
    { keySeed: secret, clock: systemClock, logger: silentLogger },
    { addresses },
    async (member) => {
      const here = await member.hello(null)
      assert.ok(here.invite)
      const params = decodeParams(here.params)
      const node = createChainNode(name, { params, clock: systemClock })
      const key = (what: string): Uint8Array => publicKeyOf('x25519', seedOf(`${name} ${what}`))
      const sign = (what: string): Uint8Array => publicKeyOf('ed25519', seedOf(`${name} ${what}`))
      const encryptionKey = key('device')
      const userKeys = {
        userKey: key('user'),
        recoveryKey: sign('recovery'),
        restoreKey: sign('restore'),
      }
      const admission: Admission = {
        network: networkIdOf(params),
        user: null,
        device: node.device,
        encryptionKey,
        userKeys,
      }
      const signature = signEd25519(secret, invitedMessage(admission, here.invite.id))
      const device = publicKeyOf('ed25519', seedOf(name))
      const { sponsor, time, countersignature } = await member.claims({
        device,
        encryptionKey,
        userKeys,
        signature,
      })
      const record = await node.publish({
        type: 'user.create',
        body: {
          name,
          deviceName: `${name}'s laptop`,
          encryptionKey,
          ...userKeys,
          proof: {
            type: 'invite',
            invite: here.invite.id,
            signature,
            sponsor,
            time,
            countersignature,
          },
        },
      })
      await member.admission(record.bytes)
      return node
    },
    soon(),
  )
}
