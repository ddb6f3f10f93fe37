/** `stop`. */
import { readNodeFile } from '../../client/node-file.ts'
import { interfaceError } from '../../errors.ts'
import type { Session } from '../session.ts'

/** Milliseconds until the process must be gone, and between two looks. */
const STOP_MS = 40_000
const LOOK_MS = 25

export async function stop(session: Session): Promise<void> {
  const { dataDir, signal } = session
  const { pid } = await readNodeFile(dataDir)
  const client = await session.node()
  await client.call('POST', '/api/v1/shutdown', {}, signal)
  const deadline = Date.now() + STOP_MS
  while (isAlive(pid)) {
    if (signal.aborted) throw interfaceError('INTERRUPTED')
    if (Date.now() > deadline) {
      throw interfaceError('NODE_STOP_TIMEOUT', {
        pid,
        seconds: STOP_MS / 1000,
        log: `${dataDir}/logs/cairn.log`,
      })
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  session.result({ stopped: true, pid }, 'stopped; everything is saved')
}

/** Whether a process of this id runs (a zombie does not: it has ended and only its parent does not know). */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  return true
}
