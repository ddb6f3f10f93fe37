/** The process of the command line. */
import { EXIT } from '../error-codes.ts'
import { interfaceError } from '../errors.ts'
import { run } from './run.ts'

const interrupted = new AbortController()
let signals = 0
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    signals += 1
    interrupted.abort(new Error(name))
    // Somebody who presses Ctrl-C again and again wants out now.
    if (signals >= 3) process.exit(1)
  })
}
// `cairn ls | head`: whoever reads has enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  process.stderr.write(
    `cairn: ${interfaceError('OUTPUT_FAILED', { why: error.message }).message}\n`,
  )
  process.exit(EXIT.failed)
})

process.exitCode = await run(process.argv.slice(2), {
  terminal: {
    out: process.stdout,
    err: process.stderr,
    // Made when somebody reads it: it costs time, and an open one keeps the process.
    get input() {
      return process.stdin
    },
  },
  environment: process.env,
  signal: interrupted.signal,
})
// What still waits in a library (a timer, a connection that nobody closed) does not keep a finished command.
setTimeout(() => process.exit(), 5_000).unref()
