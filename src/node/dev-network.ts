/** A throw-away network of three nodes in one process, to try things out: gone when it stops. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Startable } from '../common/lifecycle.ts'
import { stopAll } from '../common/lifecycle.ts'
import { type CairnNode, createNode } from './node.ts'
import type { NodeOptions } from './options.ts'

/** Names of the people and their devices, the founder first. */
const PEOPLE = [
  { name: 'Ada', deviceName: 'laptop' },
  { name: 'Ben', deviceName: 'desktop' },
  { name: 'Cleo', deviceName: 'home server' },
] as const
/** Hashes per block: a few milliseconds of search. */
const DEV_DIFFICULTY_FLOOR = 4096
const LOOPBACK = ['/ip4/127.0.0.1/tcp/0'] as const

export interface DevNetwork extends Startable {
  /** All nodes, the founder first; there after `start`. */
  readonly nodes: readonly CairnNode[]
  /** The directory that holds the three data directories. */
  readonly directory: string
}

export function createDevNetwork(
  options: Pick<NodeOptions, 'logger' | 'clock' | 'version'>,
  signal: AbortSignal,
): DevNetwork {
  const directory = mkdtempSync(join(tmpdir(), 'cairn-dev-'))
  const peersFile = join(directory, 'peers.json')
  const nodes: CairnNode[] = []

  const add = async (person: (typeof PEOPLE)[number]): Promise<void> => {
    const first = nodes[0]
    const node = await createNode(
      {
        ...options,
        ...person,
        dataDir: join(directory, person.name.toLowerCase()),
        listen: LOOPBACK,
        difficultyFloor: DEV_DIFFICULTY_FLOOR,
        admission: 'open',
        logger: options.logger.child(person.name),
        ...(first === undefined ? {} : { peersFile }),
      },
      signal,
    )
    await node.start()
    nodes.push(node)
    if (first === undefined) writeFileSync(peersFile, JSON.stringify(node.peers.export()))
  }

  return {
    nodes,
    directory,
    start: async () => {
      for (const person of PEOPLE) await add(person)
    },
    stop: async () => {
      await stopAll(nodes)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
