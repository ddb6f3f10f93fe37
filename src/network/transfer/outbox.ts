/** What is to be asked of one source: gathered over one turn of the event loop, then encoded. Pure. */
import type { CID } from 'multiformats/cid'
import { encodeMessage, FRAME, MAX_WANTS_PER_MESSAGE } from './messages.ts'

export interface Outbox {
  want(id: number): void
  cancel(id: number): void
  have(id: number, roots: readonly CID[]): void
  /** Takes back a want that did not go out yet; whether it was there. */
  takeBack(id: number): boolean
  /** All frames, once; wants that are closed by now are left out. */
  take(): Uint8Array[]
  clear(): void
}

/** @param open - the wants that are open */
export function createOutbox(open: ReadonlyMap<number, { readonly cid: CID }>): Outbox {
  let frames: Uint8Array[] = []
  let wants: number[] = []
  let cancels: number[] = []
  const clear = (): void => {
    frames = []
    wants = []
    cancels = []
  }
  return {
    want: (id) => void wants.push(id),
    cancel: (id) => void cancels.push(id),
    have: (id, roots) => {
      const asked = roots.map(({ code, multihash }) => ({ codec: code, digest: multihash.digest }))
      frames.push(encodeMessage(FRAME.have, { id, roots: asked }))
    },
    takeBack: (id) => {
      if (!wants.includes(id)) return false
      wants = wants.filter((other) => other !== id)
      return true
    },
    take: () => {
      const taken = frames
      const asked = wants.flatMap((id) => {
        const cid = open.get(id)?.cid
        return cid === undefined ? [] : [{ id, codec: cid.code, digest: cid.multihash.digest }]
      })
      for (let at = 0; at < asked.length; at += MAX_WANTS_PER_MESSAGE) {
        const list = asked.slice(at, at + MAX_WANTS_PER_MESSAGE)
        taken.push(encodeMessage(FRAME.want, { wants: list }))
      }
      const ids = cancels.filter((id) => open.has(id))
      if (ids.length > 0) taken.push(encodeMessage(FRAME.cancel, { ids }))
      clear()
      return taken
    },
    clear,
  }
}
