/** A node's chain with what backups need beside it. */
import { encodeParams, type NetworkParams } from '../../src/chain/params.ts'
import type { Statement } from '../../src/chain/record.ts'
import { signEd25519, verifyEd25519 } from '../../src/common/crypto.ts'
import { silentLogger } from '../../src/common/logger.ts'
import { backupKeyOfKit } from '../../src/services/backup/keys.ts'
import { openScratch, type ScratchChain } from '../../src/services/backup/scratch.ts'
import type { Owner } from '../../src/services/backup/standing.ts'
import type { Verifier } from '../../src/services/chain/intake.ts'
import { type ChainNode, createChainNode, handClock, seedOf, testParams } from './chain-node.ts'

export const START = 1_700_000_001_000
export const kit = seedOf('ada recovery')
export const key = backupKeyOfKit(kit)

export const verifier: Verifier = {
  verify: async (items) =>
    items.map((item) => verifyEd25519(item.publicKey, item.message, item.signature)),
}

/** A clock that stands, but whose timers of no time run at once, as those of a real one do. */
export function nodeClock(start = START): ReturnType<typeof handClock> {
  const clock = handClock(start)
  const { after } = clock
  clock.after = (ms, run) => {
    if (ms > 0) return after(ms, run)
    const timer = setImmediate(run)
    return () => clearImmediate(timer)
  }
  return clock
}

export interface BackupWorld {
  readonly clock: ReturnType<typeof handClock>
  readonly node: ChainNode
  readonly owner: Owner
  readonly components: {
    readonly store: ChainNode['store']
    readonly signer: { device: ChainNode['device']; sign(message: Uint8Array): Uint8Array }
    readonly clock: ReturnType<typeof handClock>
    readonly logger: typeof silentLogger
  }
  /** States something, which is pending then. */
  say(words?: string): Promise<void>
  /** Mines a block, a second later. */
  mine(): Promise<void>
  /** An empty chain of the same network. */
  scratch(): ScratchChain
}

/** Ada's device, admitted in block 1. */
export async function createBackupWorld(
  options: { name?: string; withKit?: boolean; params?: NetworkParams } = {},
): Promise<BackupWorld> {
  const { name = 'ada', withKit = true, params = testParams() } = options
  const clock = nodeClock()
  const node = createChainNode(name, { params, clock })
  await node.join()
  await node.mine()
  let said = 0
  return {
    clock,
    node,
    owner: {
      network: node.chain.network,
      user: () => node.chain.user,
      key: withKit ? key : undefined,
      person: async () => ({
        params: encodeParams(params),
        userName: name,
        deviceName: `${name}'s laptop`,
        restore: seedOf(`${name} restore`),
        userKeys: [seedOf(`${name} user`)],
      }),
    },
    components: {
      store: node.store,
      signer: { device: node.device, sign: (message) => signEd25519(seedOf(name), message) },
      clock,
      logger: silentLogger,
    },
    say: async (words) => {
      await node.publish(fileStatement(words ?? `file ${said++}`))
    },
    mine: async () => {
      clock.time += 1000
      await node.mine()
    },
    scratch: () =>
      openScratch({ verifier, clock, logger: silentLogger }, { path: ':memory:', params }),
  }
}

export function fileStatement(name: string): Statement {
  return {
    type: 'file.add',
    body: {
      root: 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy' as never,
      storedSize: 10,
      visibility: 'public',
      name,
      folder: [],
      mediaType: 'text/plain',
      size: 10,
      sha256: seedOf(name),
    },
  } as Statement
}
