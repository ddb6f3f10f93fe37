/** Two real nodes in this process, and the question whether they still do their work. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NetworkParams } from '../../../src/chain/params.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { parsePeersFile } from '../../../src/network/peers-file.ts'
import { type CairnNode, createNode } from '../../../src/node/node.ts'
import { until } from '../network/nodes.ts'

/** Milliseconds in which a new file has to be in the chain of both: some block intervals on a busy machine. */
const WORK_MS = 20_000

export interface Victims {
  /** The one that is attacked. */
  readonly target: CairnNode
  /** One that the attackers do not speak to. */
  readonly honest: CairnNode
  readonly params: NetworkParams
  /** Where `target` listens. */
  readonly address: string
  /** Asserts that a new file of each gets into both chains, and that both chains are the same. */
  work(): Promise<void>
  stop(): Promise<void>
}

export async function startVictims(): Promise<Victims> {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-adversary-'))
  const nodes: CairnNode[] = []
  const start = async (name: string, peersFile?: string): Promise<CairnNode> => {
    const node = await createNode(
      {
        dataDir: join(dir, name),
        name,
        deviceName: name,
        listen: ['/ip4/127.0.0.1/tcp/0'],
        difficultyFloor: 1,
        admission: 'open',
        version: 'test',
        logger: silentLogger,
        ...(peersFile === undefined ? {} : { peersFile }),
      },
      AbortSignal.timeout(WORK_MS),
    )
    await node.start()
    nodes.push(node)
    return node
  }
  const target = await start('target')
  const peersFile = join(dir, 'peers.json')
  const peers = target.peers.export()
  await writeFile(peersFile, JSON.stringify(peers))
  const honest = await start('honest', peersFile)
  const { parameters } = parsePeersFile(JSON.stringify(peers), peersFile)
  const address = peers.bootstrap[0]
  assert.ok(parameters !== undefined && address !== undefined)

  const tips = (): readonly string[] => nodes.map(({ chain }) => chain.summary().tip)
  const confirmed = (record: string): boolean =>
    nodes.every(({ records }) => {
      try {
        return records.get(record).state.status === 'confirmed'
      } catch {
        return false
      }
    })
  let files = 0
  return {
    target,
    honest,
    params: parameters,
    address,
    work: async () => {
      const added: string[] = []
      for (const node of nodes) {
        files += 1
        const bytes = Buffer.from(`content ${files}`)
        const source = (async function* () {
          yield bytes
        })()
        const signal = AbortSignal.timeout(WORK_MS)
        const name = `file ${files}.txt`
        const { record } = await node.files.add(source, { name, visibility: 'public' }, { signal })
        added.push(record)
      }
      await until(() => added.every(confirmed), 'both have both files in their chains', WORK_MS)
      await until(() => new Set(tips()).size === 1, 'both have the same chain', WORK_MS)
    },
    stop: async () => {
      for (const node of nodes.reverse()) await node.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
