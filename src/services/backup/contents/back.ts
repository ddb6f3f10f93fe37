/**
 * Brings contents back into the running node: after a restore by itself, until all destinations have answered, and by
 * command. The chain and other devices do not wait for it.
 */
import { utf8 } from '../../../common/bytes.ts'
import type { Clock } from '../../../common/clock.ts'
import { codeOf, messageOf } from '../../../common/errors.ts'
import type { Logger } from '../../../common/logger.ts'
import { createSerialQueue } from '../../../common/queue.ts'
import type { ChainStore } from '../../../storage/chain-store.ts'
import type { BackupKey } from '../keys.ts'
import {
  type BringSource,
  type BroughtContents,
  bringContents,
  type LocalContents,
} from './bringing.ts'
import type { MarkOf } from './marks.ts'
import type { Wanted } from './wanted.ts'

/** Where the database remembers that contents are to be brought back. */
const WANTED = 'backup/contents-wanted'
/** Who may wait: a command, and the node itself. */
const MAX_WAITING = 16

/** A restore was made: contents are brought back by the node that runs here next. */
export function wantContents(store: Pick<ChainStore, 'setMeta'>): void {
  store.setMeta(WANTED, utf8('yes'))
}

export interface ContentsBack {
  /** Contents are to be brought when there is time. */
  want(): void
  /** Brings what is wanted, if it is. */
  ifWanted(signal: AbortSignal): Promise<void>
  /** Brings what is missing. @throws disk errors (STORAGE_FULL) */
  bring(signal: AbortSignal): Promise<BroughtContents>
  /** Ends when nothing is brought any more. */
  idle(): Promise<void>
  /** What came back since the start, and whether more is on its way. */
  state(): ContentsBackState
}

export interface ContentsBackState {
  readonly running: boolean
  /** Files that came, and their bytes. */
  readonly files: number
  readonly bytes: number
  /** Files that the backups have, and not all of, as of the last time. */
  readonly missing: number
}

export function createContentsBack(
  components: LocalContents & {
    readonly store: Pick<ChainStore, 'meta' | 'setMeta'>
    readonly wanted: Pick<Wanted, 'missing'>
    readonly markOf: MarkOf
    readonly from: readonly BringSource[]
    readonly clock: Clock
    readonly logger: Logger
  },
  { key }: { readonly key: BackupKey | undefined },
): ContentsBack {
  const { store, from } = components
  const logger = components.logger.child('backup')
  const turns = createSerialQueue(MAX_WAITING)
  let came: Omit<ContentsBackState, 'running'> = { files: 0, bytes: 0, missing: 0 }

  const isWanted = (): boolean => {
    const mark = store.meta(WANTED)
    return mark !== undefined && new TextDecoder().decode(mark) === 'yes'
  }
  const bring = (signal: AbortSignal): Promise<BroughtContents> =>
    turns.run(async () => {
      if (key === undefined) return { files: 0, bytes: 0, missing: 0, problems: [], complete: true }
      const onFile = (size: number): void => {
        came = { ...came, files: came.files + 1, bytes: came.bytes + size }
      }
      const brought = await bringContents({ ...components, onFile }, { from, key }, signal)
      came = { ...came, missing: brought.missing }
      // What is not there whole does not come by asking again.
      if (brought.complete) store.setMeta(WANTED, utf8('no'))
      if (brought.files > 0) {
        const { files, bytes, missing } = brought
        logger.info('Contents of files came back from backups', { files, bytes, missing })
      }
      return brought
    }, signal)

  return {
    want: () => wantContents(store),
    ifWanted: async (signal) => {
      if (!isWanted() || turns.size > 0) return
      try {
        await bring(signal)
      } catch (error) {
        signal.throwIfAborted()
        logger.warn('Contents could not be brought back; it is tried again', {
          code: codeOf(error),
          why: messageOf(error),
        })
      }
    },
    bring,
    idle: () => turns.idle(),
    state: () => ({ ...came, running: turns.size > 0 }),
  }
}
