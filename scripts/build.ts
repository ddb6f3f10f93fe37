/**
 * Builds `dist/`: what `npm start` and the published package run.
 *
 * Entries: the command line (small; what runs a node is a chunk that only `start` loads), the library, and each
 * worker. Everything is bundled; native add-ons that other packages bring are left out, since nothing that runs
 * here loads them.
 *
 *   node scripts/build.ts [--if-stale] [--clean]
 */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { leanBuiltins } from './lean-builtins.ts'
import { leaveOut } from './left-out.ts'
import { collectLicences } from './licences.ts'
import { isStale, STAMP } from './stale.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const out = join(root, 'dist')

const ENTRIES = {
  cairn: 'src/interfaces/cli/main.ts',
  index: 'src/index.ts',
  'miner-worker': 'src/services/miner-worker.ts',
  'verifier-worker': 'src/services/verifier-worker.ts',
}

// CommonJS packages inside the bundle call `require` for Node's own modules.
const BANNER = `import{createRequire as cairnRequire}from'node:module';const require=cairnRequire(import.meta.url);`

/** Milliseconds for which chunks of older builds stay: a node that runs may not have loaded all of its own yet. */
const KEEP_OLD_MS = 7 * 24 * 3600 * 1000
/** Nothing of older builds stays: for the package. */
const clean = process.argv.includes('--clean')

if (process.argv.includes('--if-stale') && !isStale(root)) process.exit(0)

const started = performance.now()
// Built beside and put in place file by file, the stamp last: a build that fails leaves the old bundle working.
const BESIDE = '.new-'
const fresh = join(out, `${BESIDE}${process.pid}`)
mkdirSync(fresh, { recursive: true })
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ENTRIES,
  outdir: fresh,
  chunkNames: '[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  minify: true,
  // Error names and `constructor.name` are part of what libp2p and Helia compare.
  keepNames: true,
  legalComments: 'none',
  plugins: [leaveOut, leanBuiltins],
  external: ['*.node'],
  banner: { js: BANNER },
  metafile: true,
  logLevel: 'warning',
})
nameClassesOnly(fresh)
writeFileSync(join(fresh, 'THIRD-PARTY.txt'), collectLicences(root, Object.keys(metafile.inputs)))

const names = readdirSync(fresh).filter((name) => name !== STAMP)
for (const name of [...names, STAMP]) renameSync(join(fresh, name), join(out, name))
rmSync(fresh, { recursive: true })
for (const name of readdirSync(out)) {
  if (name === STAMP || names.includes(name)) continue
  const path = join(out, name)
  const age = Date.now() - statSync(path).mtimeMs
  if (clean || age > KEEP_OLD_MS) rmSync(path, { recursive: true })
}

const kib = Object.values(metafile.outputs).reduce((sum, { bytes }) => sum + bytes, 0) / 1024
console.error(
  `Built dist/ (${Math.round(kib)} KiB) in ${Math.round(performance.now() - started)} ms.`,
)

/**
 * `keepNames` gives each function its name when it is made, also those that are made a million times in a first sync.
 * Only what can be constructed has a name that somebody compares; the others have no `prototype`.
 */
function nameClassesOnly(directory: string): void {
  const helper = /(\w+)=\((\w+),(\w+)\)=>(\w+\(\2,"name",\{value:\3,configurable:!0\}\))/g
  let found = 0
  for (const name of readdirSync(directory).filter((file) => file.endsWith('.js'))) {
    const path = join(directory, name)
    const text = readFileSync(path, 'utf8')
    const changed = text.replace(helper, '$1=($2,$3)=>$2.prototype===void 0?$2:$4')
    if (changed === text) continue
    writeFileSync(path, changed)
    found += 1
  }
  if (found === 0) throw new Error('The bundler writes names another way: look at keepNames.')
}
