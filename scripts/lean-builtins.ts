/**
 * Takes some of Node's own modules whole instead of by `import`. An `import` reads each export of such a module at
 * once, and with it what Node would load only when somebody uses it: `node:http` brings a second HTTP client and
 * WebSockets (14 MB of memory and 25 ms in each process), `node:process` its standard input.
 */
import type { Plugin } from 'esbuild'

const LEAN = /^(?:node:)?(http|process|util)$/
const NAMESPACE = 'lean-builtin'

export const leanBuiltins: Plugin = {
  name: NAMESPACE,
  setup: (build) => {
    build.onResolve({ filter: LEAN }, ({ path }) => ({
      path: path.replace(LEAN, 'node:$1'),
      namespace: NAMESPACE,
    }))
    build.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)})`,
    }))
  },
}
