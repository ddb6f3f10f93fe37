/** A rate limit per peer: each has a bucket of tokens that fills with time. Pure: the clock is an argument. */
import type { Clock } from '../common/clock.ts'

export interface TokenBuckets {
  /** Takes `count` tokens of `peer`'s bucket; false, and nothing taken, when it holds fewer. */
  take(peer: string, count?: number): boolean
}

interface Bucket {
  tokens: number
  at: number
}

/**
 * @param init.capacity - tokens of a full bucket: what a peer may do at once
 * @param init.perSecond - tokens that come back per second
 * @param init.peers - buckets kept; beyond it the one used longest ago is forgotten (it counts as full again)
 */
export function createTokenBuckets(
  { clock }: { clock: Pick<Clock, 'now'> },
  init: { capacity: number; perSecond: number; peers: number },
): TokenBuckets {
  const buckets = new Map<string, Bucket>()
  return {
    take: (peer, count = 1) => {
      const now = clock.now()
      const bucket = buckets.get(peer) ?? { tokens: init.capacity, at: now }
      const gained = (Math.max(0, now - bucket.at) / 1000) * init.perSecond
      bucket.tokens = Math.min(init.capacity, bucket.tokens + gained)
      bucket.at = now
      buckets.delete(peer)
      buckets.set(peer, bucket)
      if (buckets.size > init.peers) {
        for (const oldest of buckets.keys()) {
          buckets.delete(oldest)
          break
        }
      }
      if (bucket.tokens < count) return false
      bucket.tokens -= count
      return true
    },
  }
}
