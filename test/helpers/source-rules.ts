/** The rules of the source tree, as functions from sources to the sentences of what breaks them. */
import { builtinModules } from 'node:module'
import { posix } from 'node:path'
import { type Import, type Scan, scan } from './source-scan.ts'

/** Sources by path from the top of the repository, with `/`. */
export type Sources = ReadonlyMap<string, string>

/** Upper layers first: a file imports from its own layer and from those after it. */
export const LAYERS = [
  'interfaces',
  'node',
  'services',
  'network',
  'storage',
  'chain',
  'common',
] as const

/** Lines of a file beyond which nobody dares to change it. */
export const MAX_LINES = 400

/** The composition root's public face, and the only barrel. */
const INDEX = 'src/index.ts'

/** Layers whose files run on virtual time in the simulator. */
const TIMELESS = ['services', 'network', 'chain', 'common'] as const
const CLOCK = 'src/common/clock.ts'
/** Wraps node:crypto, whose answers come in other turns of the event loop. */
const CRYPTO = 'src/common/crypto.ts'
/** What holds real sockets has real time limits; the logic of the protocols stands beside it. */
const SOCKETS = /^src\/network\/(?:host|frames|\w+\/protocol)\.ts$/

const IMPURE =
  /(?<![.\w$])(?:process|fetch|performance|navigator|crypto|Buffer|XMLHttpRequest|WebSocket|queueMicrotask)(?![\w$]|\s*[:?](?!:))/g
const TIME =
  /(?<![\w$])(?:Date\s*\.\s*now|new\s+Date\s*\(\s*\)|Date\s*\(\s*\)|Math\s*\.\s*random|performance\s*\.\s*now|AbortSignal\s*\.\s*timeout)|(?<![.\w$])(?:setTimeout|setInterval)\s*(?=[(,);])/g
const IMMEDIATE = /(?<![.\w$])(?:setImmediate|queueMicrotask)\s*(?=[(,);])/g

interface File extends Scan {
  readonly path: string
  readonly layer: string | undefined
}

export function checkSources(sources: Sources): string[] {
  const files = new Map<string, File>()
  for (const [path, source] of sources) {
    const layer = /^src\/([\w-]+)\//.exec(path)?.[1]
    files.set(path, { path, layer, ...scan(source) })
  }
  return [
    ...[...files.values()].flatMap((file) => checkFile(file, files)),
    ...importCycles(files),
    ...commandLineGraph(files),
  ]
}

function checkFile(file: File, files: ReadonlyMap<string, File>): string[] {
  const found: string[] = []
  const say = (line: number, what: string): void => void found.push(`${file.path}:${line} ${what}`)
  if (!file.path.startsWith('src/')) return found
  if (file.lines > MAX_LINES) say(file.lines, `has ${file.lines} lines, at most ${MAX_LINES}`)
  if (posix.basename(file.path) === 'index.ts' && file.path !== INDEX) say(1, 'is a barrel')
  if (file.path !== INDEX && LAYERS.indexOf(file.layer as never) < 0) say(1, 'is in no layer')
  const pure = file.layer === 'chain' || file.layer === 'common'
  for (const each of file.imports) {
    const target = resolve(file, each)
    if (each.star && file.path !== INDEX) say(each.line, `re-exports all of ${each.from}`)
    if (target !== undefined) {
      const other = files.get(target)
      if (other === undefined) say(each.line, `imports ${each.from}, which is no source`)
      if (file.path !== INDEX && !mayImport(file.layer, /^src\/([\w-]+)/.exec(target)?.[1])) {
        say(each.line, `imports ${target} against the order of the layers`)
      }
      continue
    }
    if (isHostPackage(each.from) && file.layer !== 'network' && file.layer !== 'storage') {
      say(each.line, `imports ${each.from} outside of network and storage`)
    }
    if (pure && isBuiltin(each.from) && !(file.path === CRYPTO && each.from === 'node:crypto')) {
      say(each.line, `imports ${each.from} in a pure layer`)
    }
  }
  const forbid = (pattern: RegExp, what: string): void => {
    for (const match of file.code.matchAll(pattern)) {
      say(file.code.slice(0, match.index).split('\n').length, `uses ${match[0].trim()}, ${what}`)
    }
  }
  if (file.layer === 'chain') forbid(IMPURE, 'in the pure rules')
  if (pure && file.path !== CLOCK && file.path !== CRYPTO)
    forbid(IMMEDIATE, 'a turn of the event loop, in a pure layer')
  if (TIMELESS.includes(file.layer as never) && file.path !== CLOCK && !SOCKETS.test(file.path)) {
    forbid(TIME, 'and time and chance come from a Clock')
  }
  return found
}

function mayImport(from: string | undefined, to: string | undefined): boolean {
  const [a, b] = [LAYERS.indexOf(from as never), LAYERS.indexOf(to as never)]
  return a >= 0 && b >= a
}

/** The path of a source that is imported; undefined for a package. */
function resolve(file: File, each: Import): string | undefined {
  if (!each.from.startsWith('.')) return undefined
  return posix.join(posix.dirname(file.path), each.from)
}

/** libp2p and Helia: what opens sockets and stores. */
function isHostPackage(name: string): boolean {
  return /^(?:libp2p|helia|@libp2p\/.+|@helia\/.+|@chainsafe\/libp2p-.+)(?:\/|$)/.test(name)
}

function isBuiltin(name: string): boolean {
  return name.startsWith('node:') || builtinModules.includes(name.split('/')[0] ?? '')
}

/** One sentence for each group of files that import each other in a ring. */
function importCycles(files: ReadonlyMap<string, File>): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const trail: string[] = []
  const visit = (path: string): void => {
    const back = trail.indexOf(path)
    if (back >= 0) found.push(`import cycle: ${[...trail.slice(back), path].join(' -> ')}`)
    const file = files.get(path)
    if (back >= 0 || file === undefined || done.has(path)) return
    trail.push(path)
    for (const each of file.imports) {
      const target = resolve(file, each)
      if (target !== undefined) visit(target)
    }
    trail.pop()
    done.add(path)
  }
  for (const path of files.keys()) if (path.startsWith('src/')) visit(path)
  return found
}

/** A command must answer at once: what it loads at its start holds neither libp2p nor Helia. */
function commandLineGraph(files: ReadonlyMap<string, File>): string[] {
  const found: string[] = []
  const seen = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    const file = files.get(path)
    if (file === undefined || seen.has(path)) return
    seen.add(path)
    for (const each of file.imports) {
      if (each.typeOnly || each.dynamic) continue
      const target = resolve(file, each)
      if (target !== undefined) visit(target, [...trail, path])
      else if (isHostPackage(each.from)) {
        found.push(`the command line loads ${each.from}: ${[...trail, path].join(' -> ')}`)
      }
    }
  }
  for (const path of files.keys())
    if (/^(?:src\/interfaces\/cli\/|bin\/)/.test(path)) visit(path, [])
  return found
}
