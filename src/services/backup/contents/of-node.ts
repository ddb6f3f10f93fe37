/** The contents of files of a node and all its destinations: what is new is sent to each, what a restore lacks is brought. */
import type { ContentId } from '../../../chain/ids.ts'
import type { Clock } from '../../../common/clock.ts'
import { codeOf } from '../../../common/errors.ts'
import type { Events } from '../../../common/events.ts'
import type { Logger } from '../../../common/logger.ts'
import type { ChainStore } from '../../../storage/chain-store.ts'
import type { NodeEvents } from '../../events.ts'
import type { BackupKey } from '../keys.ts'
import type { Restored } from '../restore.ts'
import { type ContentsBackState, createContentsBack } from './back.ts'
import type { LocalContents } from './bringing.ts'
import type { PlaceContents } from './contents.ts'
import type { MarkOf } from './marks.ts'
import type { Wanted } from './wanted.ts'

/** The contents of files that are here. */
export interface ContentsHere extends LocalContents {
  readonly wanted: Wanted
  readonly markOf: MarkOf
}

export interface ContentsOfNode {
  start(): void
  /** Looks what there is to do. */
  tick(): void
  /**
   * Takes the chain back, and brings contents that are missing: in haste later, and by itself; else also where the chain
   * here is ahead of all backups, which is no reason to do without the contents.
   */
  restore(
    takeChain: () => Promise<Restored>,
    inHaste: boolean,
    signal: AbortSignal,
  ): Promise<Restored>
  /** Sends what is left, until `signal`; then nothing any more. */
  stop(signal: AbortSignal): Promise<void>
  /** Ends when nothing is under way. */
  idle(): Promise<void>
  state(): ContentsBackState | undefined
}

/** @param components - `contents`: undefined: nothing is known of contents here, and nothing is done */
export function createContentsOfNode(
  components: {
    readonly contents: ContentsHere | undefined
    readonly places: readonly (PlaceContents | undefined)[]
    readonly store: Pick<ChainStore, 'meta' | 'setMeta' | 'tip'>
    readonly events: Events<NodeEvents>
    readonly clock: Clock
    readonly logger: Logger
  },
  { key }: { readonly key: BackupKey | undefined },
): ContentsOfNode {
  const { contents, events, store } = components
  const places = components.places.flatMap((each) => each ?? [])
  const back =
    contents === undefined
      ? undefined
      : createContentsBack({ ...components, ...contents, from: places }, { key })
  const ends: (() => void)[] = []
  let stopping = new AbortController()

  const changed = (root?: ContentId): void => {
    for (const place of places) place.changed(root)
  }

  return {
    start: () => {
      if (ends.length > 0 || back === undefined) return
      stopping = new AbortController()
      ends.push(
        // What comes from another device that may have sent it is found at the next tick.
        events.on('record:pending', ({ record: { body } }) => {
          if ('root' in body) changed(body.root as ContentId)
        }),
      )
    },
    tick: () => {
      changed()
      void back?.ifWanted(stopping.signal).catch(() => {})
    },
    restore: async (takeChain, inHaste, signal) => {
      const bring = () => back?.bring(AbortSignal.any([signal, stopping.signal]))
      let restored: Restored
      try {
        restored = await takeChain()
      } catch (error) {
        if (codeOf(error) !== 'BACKUP_BEHIND' || inHaste) throw error
        const contents = await bring()
        if (contents === undefined || contents.files + contents.missing === 0) throw error
        const { id: tip, height } = store.tip()
        return { tip, height, sources: [], records: 0, problems: [], contents }
      }
      if (inHaste) {
        back?.want()
        return restored
      }
      // Who waits for it may go away: then it comes by itself.
      back?.want()
      const contents = await bring()
      return contents === undefined ? restored : { ...restored, contents }
    },
    stop: async (signal) => {
      for (const end of ends.splice(0)) end()
      stopping.abort(new Error('the node stops'))
      await Promise.all(places.map((place) => place.flush('new', signal)))
    },
    idle: async () => {
      await Promise.all([back?.idle(), ...places.map((place) => place.stop())])
    },
    state: () => back?.state(),
  }
}
