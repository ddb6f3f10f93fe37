/** Real nodes of an invite network on loopback, each in its own directory, gone afterwards. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '../../../src/common/logger.ts'
import { type Joined, joinNetwork } from '../../../src/node/joining.ts'
import { type CairnNode, createNode } from '../../../src/node/node.ts'
import type { NodeOptions } from '../../../src/node/options.ts'
import { until } from '../network/nodes.ts'

/** Milliseconds for anything here: some block intervals on a busy machine. */
export const WAIT_MS = 20_000

export interface PeopleNetwork {
  dirOf(name: string): string
  /** Starts the node of a directory; the first one founds the network. */
  start(name: string, options?: Partial<NodeOptions>): Promise<CairnNode>
  /** Lets a directory join with a code. */
  join(name: string, code: string, signal?: AbortSignal): Promise<Joined>
  stop(node: CairnNode): Promise<void>
  end(): Promise<void>
}

export async function createPeopleNetwork(): Promise<PeopleNetwork> {
  const root = await mkdtemp(join(tmpdir(), 'cairn-people-'))
  const running = new Set<CairnNode>()
  const dirOf = (name: string): string => join(root, name)
  return {
    dirOf,
    start: async (name, options = {}) => {
      const node = await createNode(
        {
          dataDir: dirOf(name),
          name,
          deviceName: `${name}'s device`,
          listen: ['/ip4/127.0.0.1/tcp/0'],
          difficultyFloor: 1,
          version: 'test',
          logger: silentLogger,
          ...options,
        },
        AbortSignal.timeout(WAIT_MS),
      )
      await node.start()
      running.add(node)
      return node
    },
    join: (name, code, signal = AbortSignal.timeout(WAIT_MS)) =>
      joinNetwork(
        {
          dataDir: dirOf(name),
          code,
          names: { user: name, device: `${name}'s device` },
          logger: silentLogger,
        },
        signal,
      ),
    stop: async (node) => {
      running.delete(node)
      await node.stop()
    },
    end: async () => {
      for (const node of [...running].reverse()) await node.stop()
      await rm(root, { recursive: true, force: true })
    },
  }
}

/** The address of a node, with its device id. */
export function addressOf(node: CairnNode): string {
  return node.peers.export().bootstrap[0] ?? ''
}

/** Waits until all have one chain, in which every one of them stands. */
export async function settled(...nodes: CairnNode[]): Promise<void> {
  const stands = (node: CairnNode): boolean =>
    nodes.every((other) =>
      node.members
        .devices()
        .some(({ device, active }) => device === other.identity.device && active),
    )
  await until(() => nodes.every(stands), 'all stand in the chain', WAIT_MS)
  const tips = (): Set<string> => new Set(nodes.map(({ chain }) => chain.summary().tip))
  await until(() => tips().size === 1, 'all have one chain', WAIT_MS)
}
