/** What may happen late: one after the other, behind everything else. A failed chore is tried again at its next time. */
import { codeOf, messageOf } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'

export interface Chores {
  /** Does it when those before it have ended; not at all once `signal` is aborted. */
  add(chore: () => Promise<void>, signal: AbortSignal): void
  /** Resolves when all that were added have ended. */
  idle(): Promise<void>
}

export function createChores({ logger }: { readonly logger: Logger }): Chores {
  let chores: Promise<void> = Promise.resolve()
  return {
    add: (chore, signal) => {
      chores = chores.then(async () => {
        if (signal.aborted) return
        await chore().catch((error: unknown) => {
          logger.debug('A chore of the backups failed', {
            code: codeOf(error),
            why: messageOf(error),
          })
        })
      })
    },
    idle: () => chores,
  }
}
