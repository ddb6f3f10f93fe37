/**
 * This device's own admission: signed at the first start unless it was taken in by a member, and never before
 * peers had a chance to tell of newer records of this device, when its directory is not new.
 */
import type { Statement } from '../chain/record.ts'
import { type Clock, sleep } from '../common/clock.ts'
import type { Startable } from '../common/lifecycle.ts'
import type { Logger } from '../common/logger.ts'
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
  readonly logger: Logger
}

export function createAdmission(
  components: AdmissionComponents,
  init: {
    /** Undefined: this device cannot admit itself. */
    readonly statement: () => Promise<Statement | undefined>
  },
): Startable {
  const { chain, clock, firstSync, logger } = components
  return {
    start: async () => {
      if (components.signedBefore() && components.hasPeers()) {
        chain.holdSigning(Promise.race([firstSync, sleep(clock, HOLD_SIGNING_MS)]))
      }
      if (chain.user !== undefined) return
      const statement = await init.statement()
      if (statement !== undefined) await chain.publish(statement)
      else logger.warn('This device belongs to no user here. Ask a member for an invite and join.')
    },
    stop: async () => {},
  }
}
