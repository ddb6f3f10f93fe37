/**
 * Gives memory back when the node has become quiet. V8 keeps the garbage of busy moments until the heap fills up
 * again, which on an idle node is never: 10 to 15 MB after a start, much more after a large transfer.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Clock } from '../common/clock.ts'
import type { Startable } from '../common/lifecycle.ts'

/** Milliseconds between two looks. A collection of an idle node's heap takes some 30 ms of them. */
export const LOOK_MS = 5_000
/** Share of one core below which the node counts as quiet. */
export const QUIET_SHARE = 0.05
/** Bytes by which the heap has to have grown since the last collection to be worth another. */
const WORTH_BYTES = 4_000_000

/** What the process has used so far, and what it holds. */
export interface Usage {
  /** Milliseconds of processor time since the start of the process. */
  readonly cpuMs: number
  /** Bytes of the heap, garbage and free parts included. */
  readonly heapBytes: number
}

export interface MemoryTrimComponents {
  readonly clock: Clock
  /** The process's own unless told otherwise. */
  readonly usage?: () => Usage
  readonly collect?: () => void
}

export function createMemoryTrim({
  clock,
  usage = processUsage,
  collect = collectGarbage,
}: MemoryTrimComponents): Startable {
  let cancel: (() => void) | undefined
  let cpuMs = 0
  let trimmedTo = 0

  const look = (): void => {
    const now = usage()
    const quiet = now.cpuMs - cpuMs < LOOK_MS * QUIET_SHARE
    cpuMs = now.cpuMs
    if (quiet && now.heapBytes > trimmedTo + WORTH_BYTES) {
      collect()
      const after = usage()
      trimmedTo = after.heapBytes
      cpuMs = after.cpuMs
    }
    cancel = clock.after(LOOK_MS, look)
  }

  return {
    start: async () => {
      if (cancel !== undefined) return
      cpuMs = usage().cpuMs
      cancel = clock.after(LOOK_MS, look)
    },
    stop: async () => {
      cancel?.()
      cancel = undefined
    },
  }
}

function processUsage(): Usage {
  const { user, system } = process.cpuUsage()
  return { cpuMs: (user + system) / 1000, heapBytes: process.memoryUsage().heapTotal }
}

let gc: ((options?: object) => void) | undefined

function collectGarbage(): void {
  if (gc === undefined) {
    // The function exists only in contexts made after the flag is set.
    setFlagsFromString('--expose-gc')
    gc = runInNewContext('gc') as (options?: object) => void
  }
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
