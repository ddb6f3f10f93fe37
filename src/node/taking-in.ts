/**
 * Makes a restored device known to the others: they let nobody in whose admission they have not heard of, so it is
 * handed in over a connection under the restore key. Until the first of them has taken it.
 */
import type { DeviceId } from '../chain/ids.ts'
import { utf8 } from '../common/bytes.ts'
import type { Clock } from '../common/clock.ts'
import { codeOf } from '../common/errors.ts'
import type { Startable } from '../common/lifecycle.ts'
import type { Logger } from '../common/logger.ts'
import type { Network } from '../network/network.ts'
import type { ChainStore } from '../storage/chain-store.ts'

/** Where the database remembers that a member knows this device. */
const KNOWN = 'restore/known'

export function createTakingIn(
  components: {
    readonly store: Pick<ChainStore, 'recordsAt' | 'meta' | 'setMeta'>
    /** Resolves after the first sync: a connection alone is ended at once by who does not know this device. */
    readonly firstSync: Promise<unknown>
    readonly network: { readonly peers: Pick<Network['peers'], 'add' | 'exportPeers'> }
    /** Ed25519 seed of the restore key, where it is here. */
    readonly secret: () => Uint8Array | undefined
    readonly clock: Clock
    readonly logger: Logger
  },
  init: { readonly device: DeviceId; readonly addresses: readonly string[] },
): Startable {
  const { store, firstSync, network, clock } = components
  const logger = components.logger.child('restore')
  let running: Promise<void> | undefined
  let stopping = new AbortController()

  const admission = (): Uint8Array | undefined => {
    const record = store.recordsAt(init.device, 0)[0]?.record
    const isRestored = record?.type === 'device.add' && record.body.proof.type === 'restore'
    return isRestored ? record.bytes : undefined
  }
  const handIn = async (bytes: Uint8Array, keySeed: Uint8Array): Promise<void> => {
    const addresses = [...new Set([...init.addresses, ...network.peers.exportPeers().bootstrap])]
    const others = addresses.filter((address) => !address.endsWith(`/p2p/${init.device}`))
    if (others.length === 0) return
    const { pairWithMember } = await import('../network/pair/client.ts')
    const { signal } = stopping
    try {
      const found = await pairWithMember(
        { keySeed, clock, logger },
        { addresses: others },
        async (member) => {
          await member.hello(null)
          const welcome = await member.admission(bytes)
          return [`${member.place}/p2p/${member.device}`, ...welcome.addresses]
        },
        signal,
      )
      store.setMeta(KNOWN, utf8('yes'))
      logger.info('A member has taken this restored device in')
      await Promise.allSettled(found.map((address) => network.peers.add(address, signal)))
    } catch (error) {
      if (signal.aborted) return
      logger.warn('No member has taken this restored device in', { code: codeOf(error) })
    }
  }

  return {
    start: async () => {
      const bytes = admission()
      const secret = components.secret()
      if (running !== undefined || bytes === undefined || secret === undefined) return
      if (store.meta(KNOWN) !== undefined) return
      stopping = new AbortController()
      const { signal } = stopping
      void firstSync.then(() => {
        if (signal.aborted) return
        store.setMeta(KNOWN, utf8('yes'))
        stopping.abort()
      })
      running = handIn(bytes, secret)
    },
    stop: async () => {
      stopping.abort(new Error('the node stops'))
      await running
      running = undefined
    },
  }
}
