/** Peers that this node met, in a file of the data directory. */
import { readFile } from 'node:fs/promises'
import { utf8 } from '../common/bytes.ts'
import { codeOf } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import type { PeerMemory, RememberedPeer } from '../network/peers.ts'
import { MAX_PEERS } from '../services/backup/overview.ts'
import { writeFileAtomic } from '../storage/atomic-file.ts'

export function createPeerMemory(path: string, logger: Logger): PeerMemory {
  return {
    load: async () => {
      try {
        const content: unknown = JSON.parse(await readFile(path, 'utf8'))
        return Array.isArray(content) ? (content as RememberedPeer[]) : []
      } catch (error) {
        // Without it the peers of the peers file are dialled, and those meet the others.
        if (codeOf(error) !== 'ENOENT')
          logger.warn('The list of known peers cannot be read', { path })
        return []
      }
    },
    save: async (peers) =>
      writeFileAtomic(path, utf8(`${JSON.stringify(peers, null, 2)}\n`), 0o600),
  }
}

/** Addresses of other devices, in an order that stays: what is written again only when one comes or goes. */
export function othersOf(bootstrap: readonly string[], device: string): string[] {
  const others = bootstrap.filter(
    (address) => address.includes('/p2p/') && !address.endsWith(`/p2p/${device}`),
  )
  return [...new Set(others)].sort().slice(0, MAX_PEERS)
}
