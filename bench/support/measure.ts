/** Tools of the benches: baselines, memory, temporary directories, the shape of a bench script. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { publicKeyOf, signEd25519, verifyEd25519 } from '../../src/common/crypto.ts'
import { type Figure, type Report, table } from './figures.ts'

export interface Bench {
  /** A smaller run, to see that it works; its figures say less. */
  readonly quick: boolean
  /** Empty, removed at the end. */
  readonly directory: string
}

/** Runs a bench script: `--quick` for a small run, `--json` for a report on standard output. */
export async function bench(name: string, run: (bench: Bench) => Promise<Figure[]>): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  const directory = await mkdtemp(join(tmpdir(), `cairn-bench-${name}-`))
  try {
    const report: Report = { bench: name, figures: await run({ quick: values.quick, directory }) }
    console.log(values.json ? JSON.stringify(report) : table([report]))
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Signatures that one core verifies in a second: what `verifyEd25519` does alone, over records' usual size. */
export function verifyRate(): number {
  const seed = new Uint8Array(32).fill(7)
  const key = publicKeyOf('ed25519', seed)
  const message = new Uint8Array(420).fill(1)
  const signature = signEd25519(seed, message)
  const rounds = 4000
  const started = performance.now()
  for (let i = 0; i < rounds; i += 1) verifyEd25519(key, message, signature)
  return (rounds / (performance.now() - started)) * 1000
}

/** Resident bytes of a process; of this one unless told otherwise. */
export async function residentBytes(pid: number | 'self' = 'self'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024
}

export const MIB: number = 2 ** 20
