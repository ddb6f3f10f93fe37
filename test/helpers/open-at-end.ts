/**
 * The end of a test run. Whatever a test leaves open (a server whose test failed before its `close`, say) keeps the
 * process alive, and mocha does not end it: a leak is to be seen. This bounds the wait, and says what is open.
 */

/** Milliseconds from the last test until everything has to be closed: longer than any connection is kept for reuse. */
const GRACE_MS = 20_000
/** Exit code, also where all tests passed. */
const LEFT_OPEN = 1

/** What keeps the process alive, one line each, the same ones counted. */
function openNow(): string[] {
  const counts = new Map<string, number>()
  for (const line of [...process.getActiveResourcesInfo(), ...places()]) {
    counts.set(line, (counts.get(line) ?? 0) + 1)
  }
  return [...counts].map(([line, count]) => (count === 1 ? line : `${line} (${count})`))
}

/** Where servers listen, and which processes run: Node tells it by an undocumented call alone. */
function places(): string[] {
  const { _getActiveHandles: handles } = process as { _getActiveHandles?: () => unknown[] }
  return (handles?.call(process) ?? []).flatMap((handle) => {
    const { address, spawnargs, listening } = handle as {
      readonly address?: () => unknown
      readonly spawnargs?: readonly string[]
      readonly listening?: boolean
    }
    if (listening === true) return `a server at ${JSON.stringify(address?.call(handle))}`
    return spawnargs === undefined ? [] : `the process ${spawnargs.join(' ').slice(0, 200)}`
  })
}

/** Hooks of a run that ends by itself, or after `graceMs` with what is still open and an exit code that is not 0. */
export function boundedEnd(graceMs: number): { readonly afterAll: () => void } {
  return {
    afterAll: () => {
      // It keeps nothing alive: with everything closed the process is gone before.
      setTimeout(() => {
        const lines = openNow().map((line) => `  ${line}\n`)
        process.stderr.write(
          `\nStill open ${graceMs / 1000} seconds after the last test, which a test has to close:\n${lines.join('')}`,
        )
        // Mocha sets the code by its own listener, by failed tests alone; this one comes after it.
        process.on('exit', () => {
          process.exitCode = Math.max(Number(process.exitCode), LEFT_OPEN)
        })
        process.exit()
      }, graceMs).unref()
    },
  }
}

export const mochaHooks: ReturnType<typeof boundedEnd> = boundedEnd(GRACE_MS)
