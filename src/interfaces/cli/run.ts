/** Runs the command line: arguments in, exit code out. Nothing here ends the process. */
import { type Command, CommanderError } from 'commander'
import { CairnError, codeOf, messageOf } from '../../common/errors.ts'
import { EXIT, type ExitCode, meaningOf } from '../error-codes.ts'
import { interfaceError } from '../errors.ts'
import { errorBody } from '../http/answer.ts'
import { Done } from './done.ts'
import { printable } from './format.ts'
import { createProgram } from './program.ts'
import type { RunInit } from './session.ts'
import { programVersion } from './version.ts'

/** @param args - without the names of runtime and program */
export async function run(args: readonly string[], init: RunInit): Promise<ExitCode> {
  const json = args.includes('--json')
  let usage = ''
  // With --json the words of wrong usage come in the document.
  const program = createProgram(init, (text) => {
    usage += text
  })
  if (asksVersion(args)) {
    init.terminal.out.write(
      json ? `${JSON.stringify({ version: programVersion() })}\n` : `${programVersion()}\n`,
    )
    return EXIT.done
  }
  try {
    await program.parseAsync([...args], { from: 'user' })
    return EXIT.done
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.done
      return report(
        interfaceError('USAGE', { why: usageText(usage, error, helpFor(program, args)) }),
        json,
        init,
      )
    }
    return report(init.signal.aborted ? interfaceError('INTERRUPTED') : error, json, init)
  }
}

/** Whether the version is asked for before any command; behind one, it is that command's own option. */
function asksVersion(args: readonly string[]): boolean {
  const command = args.findIndex((arg, at) => !arg.startsWith('-') && args[at - 1] !== '--data-dir')
  const before = command === -1 ? args : args.slice(0, command)
  return before.includes('--version') || before.includes('-V')
}

function report(error: unknown, json: boolean, { terminal, environment }: RunInit): ExitCode {
  if (error instanceof Done) return error.exit
  const { exit } = meaningOf(codeOf(error))
  const { code, message, details } = errorBody(error, '')
  // On this side there is no log to look into: what is unexpected is shown.
  const words =
    error instanceof CairnError ? message : `Something unexpected happened: ${messageOf(error)}`
  if (json) terminal.out.write(`${JSON.stringify({ error: { code, message: words, details } })}\n`)
  else terminal.err.write(`cairn: ${text(words, details)}\n`)
  if (environment.CAIRN_LOG_LEVEL === 'debug' && error instanceof Error) {
    terminal.err.write(`${error.stack}\n`)
  }
  return exit
}

function text(message: string, details: Readonly<Record<string, unknown>>): string {
  const { candidates } = details
  const lines = [printable(message)]
  if (Array.isArray(candidates)) {
    for (const candidate of candidates as Record<string, unknown>[]) {
      const { file, name, owner } = candidate
      lines.push(`  ${printable(`${file}  ${name}${owner ? `  of ${owner}` : ''}`)}`)
    }
  }
  return lines.join('\n')
}

/** The command whose help says what is right; the program's own where none is named. */
function helpFor(program: Command, args: readonly string[]): string {
  const named = program.commands.find((command) => args.includes(command.name()))
  return named === undefined ? 'cairn --help' : `cairn help ${named.name()}`
}

function usageText(shown: string, error: CommanderError, help: string): string {
  const first = (shown || error.message).split('\n').find((line) => line.trim() !== '')
  if (error.code === 'commander.help') return 'A command is needed. See: cairn --help'
  return `${(first ?? '').replace(/^error: /, '').replace(/\.$/, '')}. See: ${help}`
}
