#!/usr/bin/env node
'use strict'
/*
 * Finds a Node that is new enough and starts the command line with it; nothing else. Written for any Node since
 * version 10: the one that reads this file may be the old one.
 */
const fs = require('fs')
const path = require('path')

/** What libp2p and node:sqlite need, and what package.json says under "engines". */
const OLDEST = [22, 19]
/** From here on nothing that is used prints an experimental warning. */
const QUIET_MAJOR = 24
/**
 * Hot code is compiled where it runs. Beside it, V8's own threads take more time for it, and in a first sync on two
 * cores they take it from the thread that verifies. Also in src/interfaces/cli/node-flags.ts.
 */
const FLAGS = ['--no-concurrent-recompilation']
/** Names the process that started this one only to have a newer Node. */
const LAUNCHER = 'CAIRN_LAUNCHER_PID'

const root = path.dirname(__dirname)
const version = process.versions.node.split('.').map(Number)

if (version[0] > OLDEST[0] || (version[0] === OLDEST[0] && version[1] >= OLDEST[1])) run()
else startNewer()

function run() {
  if (process.env[LAUNCHER] === String(process.ppid)) endWithLauncher()
  delete process.env[LAUNCHER]
  if (version[0] < QUIET_MAJOR) hideExperimentalWarnings()

  const built = path.join(root, 'dist', 'cairn.js')
  const source = path.join(root, 'src', 'interfaces', 'cli', 'main.ts')
  const entry = fs.existsSync(built) ? built : source
  import(require('url').pathToFileURL(entry).href).catch((error) => {
    const missing = error && (error.code === 'ERR_MODULE_NOT_FOUND' || error.code === 'ENOENT')
    if (missing && entry === source) {
      fail(`The program is not complete here: run "npm ci" in ${root} first.\n${error.message}`)
    }
    throw error
  })
}

/** Whoever ends the launcher, also with kill -9, means this process. */
function endWithLauncher() {
  process.on('disconnect', () => {
    process.kill(process.pid, 'SIGKILL')
  })
  process.channel.unref()
}

function hideExperimentalWarnings() {
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    if (warning.name !== 'ExperimentalWarning') process.stderr.write(`${warning.stack}\n`)
  })
}

/** Starts this file again with the Node that npm installed beside this package. */
function startNewer() {
  const runtime = findRuntime()
  if (runtime === undefined) return refuse()
  const env = Object.assign({}, process.env)
  env[LAUNCHER] = String(process.pid)
  const child = require('child_process').spawn(
    runtime,
    FLAGS.concat([__filename], process.argv.slice(2)),
    {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
      env: env,
    },
  )
  child.on('error', refuse)

  // A terminal sends its signals to the child as well: forwarded, they would arrive twice.
  const terminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP']
  signals.forEach((signal) => {
    process.on(signal, () => {
      if (signal === 'SIGTERM' || !terminal) child.kill(signal)
    })
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    signals.forEach((name) => {
      process.removeAllListeners(name)
    })
    process.kill(process.pid, signal)
  })
}

/** Path of the newer Node, or undefined. */
function findRuntime() {
  const windows = process.platform === 'win32'
  const target = `${windows ? 'win' : process.platform}-${process.arch}`
  // Both names are in use; package.json lists the one that each platform has.
  return [`node-${target}`, `node-bin-${target}`].map(nodeIn).find(Boolean)

  function nodeIn(name) {
    try {
      const folder = path.dirname(require.resolve(`${name}/package.json`))
      const file = path.join(folder, 'bin', windows ? 'node.exe' : 'node')
      return fs.existsSync(file) ? file : undefined
    } catch (_) {
      return undefined
    }
  }
}

function refuse() {
  fail(
    'Cairn needs Node ' +
      OLDEST.join('.') +
      ' or newer and this is ' +
      process.versions.node +
      ': ' +
      'install a newer one from https://nodejs.org, or install this package again without "--omit=optional".',
  )
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
