/**
 * kill -9 at random moments: three devices work, a fourth is new again and again; each is killed while it adds,
 * votes, mines, syncs, connects blocks of a longer chain or starts. Now and then all are cut off from each other,
 * so that their chains differ and one of them gives way afterwards.
 *
 * After each restart the node has to open by itself, and everything that it acknowledged has to be there. At the end
 * all have the same chain, and every acknowledged record is in it.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ChainSummary } from '../../src/interfaces/http/api-chain.ts'
import { eventually, exportPeers, type RealNode } from '../helpers/real-node.ts'
import { checkContent, checkRecord, createMember, type Member } from './member.ts'
import { createRandom } from './random.ts'

/** Milliseconds between two kills. */
const KILL_AFTER_MS: readonly [number, number] = [100, 1500]
/** Milliseconds after its start at which a process is killed that has hardly begun. */
const KILL_START_AFTER_MS: readonly [number, number] = [10, 700]
/** One kill in so many meets a process that starts. */
const START_KILL_CHANCE = 0.25
/** The new device begins anew in so many of its restarts. */
const WIPE_CHANCE = 0.4
/** Kills in one round: connected, then cut, then connected again. */
const ROUND = 6
const CUT_AT = 2
const MEND_AT = 5
/** Milliseconds until all agree after the last kill. */
const AGREE_MS = 180_000
/** Versions whose bytes are compared on every device at the end. */
const COMPARED_VERSIONS = 20
const ANSWER_MS = 60_000
/** Records that one node is asked for at a time at the end. */
const QUESTIONS_AT_ONCE = 32

export interface TortureInit {
  readonly kills: number
  readonly seed: number
  /** Empty; holds the data directories. */
  readonly directory: string
  readonly log: (line: string) => void
}

export interface TortureResult {
  readonly kills: number
  readonly killsDuringStart: number
  readonly acknowledged: number
  readonly height: number
  /** Milliseconds. */
  readonly slowestStart: number
}

/** @throws when something that was acknowledged is lost, or a node does not open, or they do not agree */
export async function torture(init: TortureInit): Promise<TortureResult> {
  const { directory, log } = init
  const random = createRandom(init.seed)
  const workers: Member[] = []
  for (const name of ['ada', 'ben', 'cleo']) {
    workers.push(await createMember(name, directory, random))
  }
  const newcomer = await createMember('newcomer', directory, random)
  const all = [...workers, newcomer]
  const done = new AbortController()
  let work: Promise<unknown> = Promise.resolve()
  try {
    const peersFileOf = await startAll(all, directory)
    work = Promise.all(workers.map((member) => member.work(workers, done.signal)))
    // What fails while the nodes are killed ends the torture as well.
    let failure: unknown
    work.catch((error) => {
      failure = error
    })

    let kills = 0
    let killsDuringStart = 0
    let slowestStart = 0
    while (kills < init.kills) {
      await delay(random.between(...KILL_AFTER_MS))
      if (failure !== undefined) throw failure
      if (kills % ROUND === CUT_AT) for (const { port } of all) port.cut()
      if (kills % ROUND === MEND_AT) for (const { port } of all) port.mend()
      const victim = random.pick(all) ?? newcomer
      await victim.kill()
      kills += 1
      if (victim === newcomer && random.chance(WIPE_CHANCE)) await newcomer.wipe()
      const peersFile = peersFileOf(victim)
      if (kills < init.kills && random.chance(START_KILL_CHANCE)) {
        const killed = AbortSignal.timeout(random.between(...KILL_START_AFTER_MS))
        await victim.start(peersFile, killed).catch(() => {})
        await victim.kill()
        kills += 1
        killsDuringStart += 1
      }
      const { startedInMs } = await startOrTell(victim, peersFile)
      slowestStart = Math.max(slowestStart, startedInMs)
      await victim.checkAfterRestart()
      log(`${kills}: killed ${victim.name}, back in ${Math.round(startedInMs)} ms`)
    }

    done.abort()
    await work
    for (const { port } of all) port.mend()
    const height = await agree(all)
    await compare(all)
    const acknowledged = workers.reduce((sum, member) => sum + member.acknowledged.length, 0)
    return { kills, killsDuringStart, acknowledged, height, slowestStart }
  } catch (error) {
    for (const { name, node } of all) log(`--- ${name} ---\n${node?.log() ?? 'not running'}`)
    throw error
  } finally {
    done.abort()
    await work.catch(() => {})
    for (const member of all) await member.stop()
  }
}

/** A new device may have been told nothing of the network before it was cut off: it waits for a peer then. */
async function startOrTell(victim: Member, peersFile: string): Promise<RealNode> {
  try {
    return await victim.start(peersFile)
  } catch (error) {
    throw new Error(`${victim.name} does not open after a kill`, { cause: error })
  }
}

/** Starts the first, which founds the network, then the others; gives each one's peers file. */
async function startAll(
  all: readonly Member[],
  directory: string,
): Promise<(member: Member) => string> {
  const [founder, ...others] = all
  if (founder === undefined) throw new Error('nobody to torture')
  const exported = join(directory, 'peers.json')
  await exportPeers(await founder.start(undefined), exported)
  const { default: network } = await import(exported, { with: { type: 'json' } })
  const fileOf = (member: Member): string => join(directory, `peers-${member.name}.json`)
  for (const member of all) {
    const bootstrap = all
      .filter((other) => other !== member)
      .map(({ port }) => `/ip4/127.0.0.1/tcp/${port.port}`)
    await writeFile(fileOf(member), JSON.stringify({ ...network, bootstrap }))
  }
  for (const member of others) await member.start(fileOf(member))
  return fileOf
}

function nodesOf(all: readonly Member[]): RealNode[] {
  return all.flatMap(({ node }) => node ?? [])
}

const chainOf = (node: RealNode): Promise<ChainSummary> =>
  node.client.get<ChainSummary>('/api/v1/chain', {}, AbortSignal.timeout(ANSWER_MS))

/** Waits until all have one tip and nothing pending; its height. */
async function agree(all: readonly Member[]): Promise<number> {
  let chains: ChainSummary[] = []
  const told = (): string => JSON.stringify(chains.map(({ height, pending }) => [height, pending]))
  await eventually('the same chain everywhere, nothing pending', AGREE_MS, async () => {
    chains = await Promise.all(nodesOf(all).map(chainOf))
    return chains.every(({ tip, pending }) => tip === chains[0]?.tip && pending === 0)
  }).catch((error) => {
    throw new Error(`${String(error)} (height, pending: ${told()})`)
  })
  return chains[0]?.height ?? 0
}

/** Every acknowledged record is in the chain of every device, and the newest versions' bytes are there. */
async function compare(all: readonly Member[]): Promise<void> {
  const entries = all.flatMap(({ acknowledged }) => acknowledged)
  const newest = all.flatMap(({ acknowledged }) => acknowledged.slice(-COMPARED_VERSIONS))
  for (const node of nodesOf(all)) {
    for (let from = 0; from < entries.length; from += QUESTIONS_AT_ONCE) {
      const some = entries.slice(from, from + QUESTIONS_AT_ONCE)
      const states = await Promise.all(some.map((entry) => checkRecord(node, entry)))
      const odd = states.findIndex((status) => status !== 'confirmed')
      if (odd === -1) continue
      throw new Error(`${states[odd]} on ${node.dataDir}: ${JSON.stringify(some[odd])}`)
    }
    for (const entry of newest) await checkContent(node, entry)
  }
}
