/** `npm start`: builds the bundle when it is older than its source, then runs `cairn start` in this process. */
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { isStale } from './stale.js'

/** Milliseconds between two looks at whether npm still waits for this process. */
const LOOK_MS = 250

const root = fileURLToPath(new URL('..', import.meta.url))
// An older Node cannot build; the launcher says then what to install.
const canBuild = Number(process.versions.node.split('.')[0]) >= 22
if (canBuild && isStale(root)) {
  execFileSync(process.execPath, [fileURLToPath(new URL('build.ts', import.meta.url))], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
}
// npm passes a signal on to the shell between it and this process, and the shell to nobody: it only ends.
if (process.env.npm_lifecycle_event === 'start' && process.platform !== 'win32') {
  const shell = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === shell) return
    clearInterval(watch)
    process.kill(process.pid, 'SIGTERM')
  }, LOOK_MS).unref()
}
process.argv.splice(1, 1, fileURLToPath(new URL('../bin/cairn.js', import.meta.url)), 'start')
createRequire(import.meta.url)('../bin/cairn.js')
