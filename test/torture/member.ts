/** One device under torture: its place, its process, what it acknowledged. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort, type RealNode, startRealNode } from '../helpers/real-node.ts'
import { type CuttablePort, openCuttablePort } from './cuttable-port.ts'
import type { Random } from './random.ts'
import { type Acknowledged, actOnce, contentHash } from './workload.ts'

/** Older acknowledged records that are looked up again after each restart, beside all newer ones. */
const SAMPLE = 30
/** Acknowledged versions whose bytes are read again after each restart. */
const READ_BACK = 3
/** Milliseconds between two actions on a node, at most. */
const PAUSE_MS = 60
/** Milliseconds for one question. */
const ANSWER_MS = 60_000

export interface Member {
  readonly name: string
  readonly port: CuttablePort
  readonly acknowledged: Acknowledged[]
  readonly node: RealNode | undefined
  /** @param killed - SIGKILL, also before it serves */
  start(peersFile: string | undefined, killed?: AbortSignal): Promise<RealNode>
  kill(): Promise<void>
  stop(): Promise<void>
  /** Forgets everything: the next start is that of a new device. */
  wipe(): Promise<void>
  /** Acts until `until` aborts, whenever the node runs. */
  work(others: readonly Member[], until: AbortSignal): Promise<void>
  /** @throws with what was acknowledged and is not there */
  checkAfterRestart(): Promise<void>
}

export async function createMember(
  name: string,
  directory: string,
  random: Random,
): Promise<Member> {
  const peerPort = await freePort()
  const port = await openCuttablePort(peerPort)
  const dataDir = join(directory, name)
  const acknowledged: Acknowledged[] = []
  let node: RealNode | undefined
  let checked = 0

  return {
    name,
    port,
    acknowledged,
    get node() {
      return node
    },
    start: async (peersFile, killed) => {
      node = undefined
      const settings = { announce: [`/ip4/127.0.0.1/tcp/${port.port}`], log_level: 'warn' }
      node = await startRealNode({
        dataDir,
        name,
        peerPort,
        settings,
        ...(peersFile === undefined ? {} : { peersFile }),
        ...(killed === undefined ? {} : { killed }),
      })
      return node
    },
    kill: async () => {
      const killed = node
      node = undefined
      await killed?.kill()
    },
    stop: async () => {
      const stopped = node
      node = undefined
      await stopped?.stop()
      await port.close()
    },
    wipe: () => rm(dataDir, { recursive: true, force: true }),

    work: async (others, until) => {
      while (!until.aborted) {
        const current = node
        if (current !== undefined) {
          const theirs = others.flatMap((other) => other.acknowledged)
          try {
            const done = await actOnce(current.client, random, acknowledged, theirs)
            if (done !== undefined) acknowledged.push(done)
          } catch (error) {
            // Whatever a dying process says is no answer.
            if (node === current && current.running()) {
              throw new Error(`${name} refused: ${String(error)}\n${current.log()}`)
            }
          }
        }
        await delay(random.between(0, PAUSE_MS))
      }
    },

    checkAfterRestart: async () => {
      if (node === undefined) throw new Error(`${name} does not run`)
      const sample = Array.from({ length: SAMPLE }, () => random.pick(acknowledged))
      const fresh = acknowledged.slice(checked)
      for (const entry of new Set([...sample, ...fresh])) {
        if (entry !== undefined) await checkRecord(node, entry)
      }
      for (const entry of acknowledged.slice(-READ_BACK)) await checkContent(node, entry)
      checked = acknowledged.length
    },
  }
}

/** The record's status on the node. @throws when the node does not know it */
export async function checkRecord(node: RealNode, entry: Acknowledged): Promise<string> {
  try {
    const path = `/api/v1/records/${entry.record}`
    const signal = AbortSignal.timeout(ANSWER_MS)
    const { state } = await node.client.get<{ state: { status: string } }>(path, {}, signal)
    return state.status
  } catch (error) {
    throw new Error(`lost after ${node.dataDir}: ${JSON.stringify(entry)}: ${String(error)}`)
  }
}

/** @throws when the bytes of an acknowledged version are not those that were sent */
export async function checkContent(node: RealNode, entry: Acknowledged): Promise<void> {
  if (entry.version === undefined || entry.sha256 === undefined) return
  const found = await contentHash(node.client, entry.file, entry.version).catch(String)
  if (found === entry.sha256) return
  throw new Error(`content lost on ${node.dataDir}: ${JSON.stringify(entry)}: ${found}`)
}
