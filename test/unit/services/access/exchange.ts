/** Devices that grant, give and take keys, without sockets: whoever asks calls the other one's key holder. */
import type { DeviceId, RecordId, UserId } from '../../../../src/chain/ids.ts'
import { networkIdOf } from '../../../../src/chain/params.ts'
import { readDevice } from '../../../../src/chain/state/devices.ts'
import { silentLogger } from '../../../../src/common/logger.ts'
import { networkError } from '../../../../src/network/errors.ts'
import type { KeyAnswer } from '../../../../src/network/key-release/messages.ts'
import {
  createKeyExchange,
  type KeyExchange,
} from '../../../../src/services/access/key-exchange.ts'
import type { ReleaseHold } from '../../../../src/services/access/release-hold.ts'
import { createDirectory } from '../../../../src/services/explorer/directory.ts'
import type { ReadableVersion } from '../../../../src/services/files/secrets.ts'
import { handClock, seedOf } from '../../../helpers/chain-node.ts'
import { withDirectory } from '../../storage/blockstore-helpers.ts'
import { streamOf } from '../files/files-node.ts'
import { createPrivateNode, type PrivateNode } from './private-node.ts'

export const START = 1_700_000_100_000
export const never: AbortSignal = new AbortController().signal

export interface Sharer extends PrivateNode {
  readonly exchange: KeyExchange
  /** Devices that it is not connected to. */
  readonly away: Set<DeviceId>
  /** Changes what it answers. */
  answer: (access: RecordId, from: DeviceId) => Promise<KeyAnswer>
  /** Who it was asked for a key by. */
  readonly asked: DeviceId[]
}

export interface Network {
  readonly clock: ReturnType<typeof handClock>
  /** The founder and owner; her other device, without the user's secret; a reader; somebody else. */
  readonly ada: Sharer
  readonly phone: Sharer
  readonly bob: Sharer
  readonly carol: Sharer
  readonly all: readonly Sharer[]
  /** Devices whose revocation is known. */
  readonly revoked: Set<DeviceId>
  /** What everybody said is known to all and in a block. */
  settle(): Promise<void>
  /** Everybody knows all records; no block. */
  tell(): Promise<void>
  /** The key holder of a device after a restart; `hold`: until when no key leaves. */
  again(of: Sharer, hold?: Pick<ReleaseHold, 'ready'>): KeyExchange
}

/** Takes a request for a key to another device, instead of a plain call. */
export type Carry = (
  from: DeviceId,
  to: DeviceId,
  access: RecordId,
  signal: AbortSignal,
) => Promise<KeyAnswer>

export async function withNetwork(
  run: (network: Network) => Promise<void>,
  carry?: Carry,
): Promise<void> {
  await withDirectory(async (dir) => {
    const clock = handClock(START)
    const revoked = new Set<DeviceId>()
    const sharers = new Map<DeviceId, Sharer>()
    const exchangeOf = (
      node: PrivateNode,
      away: Set<DeviceId>,
      hold?: Pick<ReleaseHold, 'ready'>,
    ): KeyExchange => {
      const { store, chain, keys, copies, keyring, events, device, content } = node
      return createKeyExchange(
        {
          store,
          records: chain,
          keys,
          copies,
          secret: keyring.device.secret,
          people: {
            userOf: (of) => readDevice(store.state, of)?.user,
            isRevoked: (of) => revoked.has(of),
          },
          directory: createDirectory({ projections: store.projections, events }),
          self: { device, user: () => chain.user },
          content,
          ask: async (to, access, signal) => {
            if (carry !== undefined) return carry(device, to, access, signal)
            const other = sharers.get(to)
            if (other === undefined) throw networkError('KEY_STREAM', { peer: to })
            other.asked.push(device)
            return other.answer(access, device)
          },
          connected: () => new Set([...sharers.keys()].filter((id) => !away.has(id))),
          ...(hold === undefined ? {} : { hold }),
          events,
          clock,
          logger: silentLogger,
        },
        { network: networkIdOf(node.params) },
      )
    }
    const make = async (name: string, userSecret?: Uint8Array): Promise<Sharer> => {
      const secret = userSecret === undefined ? {} : { userSecret }
      const node = await createPrivateNode(name, { dir, clock, ...secret })
      const away = new Set<DeviceId>()
      const exchange = exchangeOf(node, away)
      const answer: Sharer['answer'] = (access, from) =>
        exchange.keyHolder.release(access, from, never)
      const sharer: Sharer = { ...node, exchange, away, answer, asked: [] }
      sharers.set(node.device, sharer)
      return sharer
    }
    const ada = await make('ada', seedOf('ada user'))
    const phone = await make('phone')
    const bob = await make('bob', seedOf('bob user'))
    const carol = await make('carol', seedOf('carol user'))
    const all = [ada, phone, bob, carol]
    const network: Network = {
      clock,
      ada,
      phone,
      bob,
      carol,
      all,
      revoked,
      tell: async () => {
        for (const one of all) await one.tell(...all.filter((other) => other !== one))
      },
      settle: async () => {
        await network.tell()
        for (;;) {
          clock.time += 2000
          const block = await ada.mine()
          if (block === undefined) break
          const header = ada.store.headerBytes(ada.store.tip().id)
          if (header === undefined) throw new Error('the tip has a header')
          for (const other of all) {
            if (other !== ada) await other.chain.acceptBlock(header, block.body.bytes, ada.device)
          }
        }
        for (const one of all) await one.opening.idle()
      },
      again: (of, hold) => exchangeOf(of, of.away, hold),
    }
    const user = await ada.joinAsUser()
    await bob.joinAsUser()
    await carol.joinAsUser()
    await network.settle()
    await phone.joinAsDevice(user, 'ada')
    for (const each of all) await each.opening.start()
    await network.settle()
    await run(network)
    for (const each of all) {
      await each.opening.stop()
      await each.chain.stop()
    }
  })
}

/** A private file of somebody's, known to all. */
export async function addSecret(
  network: Network,
  of: Sharer,
  text = 'a poem about stones',
): Promise<RecordId> {
  const added = await of.files.add(streamOf(text), { name: 'poem.txt' }, { signal: never })
  await network.settle()
  return added.file as RecordId
}

/** What a reader names. */
export function versionOf(node: Sharer, file: RecordId): ReadableVersion {
  const entry = node.store.projections.file(file)
  if (entry === undefined) throw new Error('the file is not known')
  return entry
}

export function userOf(node: Sharer): UserId {
  const { user } = node.chain
  if (user === undefined) throw new Error('nobody')
  return user
}
