/**
 * This device's own admission: signed at the first start, and never before peers had a chance to tell of newer
 * records of this device, when its directory is not new.
 */
import type { Statement } from '../chain/record.ts'
import { type Clock, sleep } from '../common/clock.ts'
import type { Startable } from '../common/lifecycle.ts'
import type { ChainService } from './chain/chain-service.ts'

/** Milliseconds that the first signature waits for peers that may know newer records of this device. */
export const HOLD_SIGNING_MS = 3_000

export interface AdmissionComponents {
  readonly chain: Pick<ChainService, 'publish' | 'holdSigning' | 'user'>
  readonly clock: Clock
  /** Whether this device signed anything before. */
  readonly signedBefore: () => boolean
  /** Whether peers are known that could be asked. */
  readonly hasPeers: () => boolean
  /** Resolves after the first sync with any peer. */
  readonly firstSync: Promise<unknown>
}

export function createAdmission(
  components: AdmissionComponents,
  init: { readonly statement: Statement },
): Startable {
  const { chain, clock, firstSync } = components
  return {
    start: async () => {
      if (components.signedBefore() && components.hasPeers()) {
        chain.holdSigning(Promise.race([firstSync, sleep(clock, HOLD_SIGNING_MS)]))
      }
      if (chain.user === undefined) await chain.publish(init.statement)
    },
    stop: async () => {},
  }
}
