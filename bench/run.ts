/**
 * Runs the benches one after the other, each in a process of its own.
 *
 *   npm run bench -- [--only open,sync] [--quick] [--json] [--out FILE]
 *
 * A table on standard output, or one JSON document with `--json`; `--out` writes the document to a file as well.
 * Exit code 1: a bench failed. A missed goal is shown, not an error: machines differ.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { messageOf } from '../src/common/errors.ts'
import { type Report, table } from './support/figures.ts'
import { SUBJECTS, type Subject } from './support/subjects.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
})

async function measure({ name, script, quick, figuresOf }: Subject): Promise<Report> {
  const args = ['--json', ...(values.quick ? quick : [])]
  const child = spawn(process.execPath, [join(import.meta.dirname, script), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  if (code !== 0) throw new Error(`${script} ended with ${code}`)
  return { bench: name, figures: figuresOf(output) }
}

const wanted = values.only?.split(',')
const unknown = wanted?.filter((name) => !SUBJECTS.some((subject) => subject.name === name)) ?? []
if (unknown.length > 0) {
  console.error(
    `There is no bench ${unknown.join(', ')}: ${SUBJECTS.map((s) => s.name).join(', ')}`,
  )
  process.exit(2)
}

const reports: Report[] = []
for (const subject of SUBJECTS) {
  if (wanted !== undefined && !wanted.includes(subject.name)) continue
  console.error(`${subject.name}: ${subject.about} …`)
  try {
    reports.push(await measure(subject))
  } catch (error) {
    console.error(`${subject.name} failed: ${messageOf(error)}`)
    process.exitCode = 1
  }
}

const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: availableParallelism(),
  memory: totalmem(),
  node: process.versions.node,
  platform: `${process.platform} ${process.arch}`,
}
const document = `${JSON.stringify({ machine, quick: values.quick, reports }, null, 2)}\n`
if (values.out !== undefined) await writeFile(values.out, document)
if (values.json) process.stdout.write(document)
else {
  console.log(
    `${machine.cores} × ${machine.cpu}, Node ${machine.node}${values.quick ? ', quick run' : ''}\n`,
  )
  console.log(table(reports))
}
