/** When each destination was last verified and drilled, with what result; kept in the database. */
import { utf8 } from '../../common/bytes.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { Destination } from './destination.ts'

export type ProofKind = 'verified' | 'drilled'

/** One look at a destination. */
export interface Proof {
  /** Milliseconds UTC. */
  readonly time: number
  /** The code of what was wrong; null: all is well. */
  readonly code: string | null
  /** The backup that was verified. */
  readonly object?: string
  /** The name of another device that did it; missing: this one. */
  readonly by?: string
}

export interface Proofs {
  get(destination: Destination, kind: ProofKind): Proof | undefined
  set(destination: Destination, kind: ProofKind, proof: Proof): void
}

export function createProofs(store: Pick<ChainStore, 'meta' | 'setMeta'>): Proofs {
  const key = ({ kind, name }: Destination, proof: ProofKind): string =>
    `backup/${proof}/${kind}/${name}`
  return {
    get: (destination, kind) => {
      const stored = store.meta(key(destination, kind))
      if (stored === undefined) return undefined
      try {
        return JSON.parse(new TextDecoder().decode(stored)) as Proof
      } catch {
        // It only says when to look again.
        return undefined
      }
    },
    set: (destination, kind, proof) =>
      store.setMeta(key(destination, kind), utf8(JSON.stringify(proof))),
  }
}
