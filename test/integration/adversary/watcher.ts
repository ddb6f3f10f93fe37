/** Asks a node again and again, in a thread of its own, how it is: whoever attacks shares this process. */
import { readFile } from 'node:fs/promises'
import { parentPort, Worker, workerData } from 'node:worker_threads'

export interface Watched {
  /** Milliseconds of the slowest answer. */
  readonly healthMs: number
  readonly statusMs: number
  readonly answers: number
  readonly failures: number
  /** Bytes. */
  readonly rssBefore: number
  readonly rssMost: number
}

interface Job {
  readonly api: string
  readonly token: string
  readonly pid: number
}

const EVERY_MS = 50

/** Watches until `stop`, and gives what was seen. */
export function watch(job: Job): { stop(): Promise<Watched> } {
  const worker = new Worker(new URL(import.meta.url), { workerData: job })
  return {
    stop: () =>
      new Promise((resolve, reject) => {
        worker.once('error', reject)
        worker.once('message', (seen: Watched) => {
          resolve(seen)
          void worker.terminate()
        })
        worker.postMessage('stop')
      }),
  }
}

async function rssOf(pid: number): Promise<number> {
  const match = /VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))
  return Number(match?.[1] ?? 0) * 1024
}

async function run({ api, token, pid }: Job): Promise<void> {
  const rssBefore = await rssOf(pid)
  let rssMost = rssBefore
  let healthMs = 0
  let statusMs = 0
  let answers = 0
  let failures = 0
  let stopped = false
  parentPort?.once('message', () => {
    stopped = true
  })
  const time = async (path: string): Promise<number> => {
    const began = performance.now()
    const answer = await fetch(new URL(path, api), {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(30_000),
    })
    await answer.arrayBuffer()
    if (!answer.ok) failures += 1
    answers += 1
    return performance.now() - began
  }
  while (!stopped) {
    try {
      healthMs = Math.max(healthMs, await time('/health'))
      statusMs = Math.max(statusMs, await time('/api/v1/status'))
    } catch {
      failures += 1
    }
    rssMost = Math.max(rssMost, await rssOf(pid))
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
  }
  parentPort?.postMessage({ healthMs, statusMs, answers, failures, rssBefore, rssMost })
}

if (parentPort !== null && workerData !== null && 'api' in workerData) void run(workerData as Job)
