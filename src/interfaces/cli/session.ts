/** What every command has: where it writes, for which data directory, until when. */
import { type Client, findNode } from '../client/client.ts'
import { printable, size } from './format.ts'
import { createProgressBar, type ProgressBar, type Terminal } from './terminal.ts'

export interface GlobalOptions {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly dataDir?: string
}

/** What a run of the command line gets from outside. */
export interface RunInit {
  readonly terminal: Terminal
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Aborts at Ctrl-C. */
  readonly signal: AbortSignal
}

export interface Session extends RunInit {
  readonly dataDir: string
  readonly json: boolean
  readonly quiet: boolean
  /** The client of the running node. @throws NO_NODE */
  node(): Promise<Client>
  /** The result: with `--json` the document, otherwise the text; called once by each command. */
  result(document: unknown, text: string | (() => string)): void
  /** A line for people while it works; not with `--quiet`. */
  note(text: string): void
  progress(label: string): ProgressBar
}

export function createSession(
  options: GlobalOptions,
  init: RunInit & Pick<Session, 'dataDir'>,
): Session {
  const { terminal, dataDir } = init
  const json = options.json ?? false
  const quiet = options.quiet ?? false
  return {
    ...init,
    json,
    quiet,
    node: () => findNode(dataDir),
    result: (document, text) => {
      const shown = json ? JSON.stringify(document) : typeof text === 'string' ? text : text()
      if (shown !== '') terminal.out.write(`${shown}\n`)
    },
    note: (text) => {
      if (!quiet) terminal.err.write(`${text}\n`)
    },
    progress: (label) =>
      quiet
        ? { update: () => {}, end: () => {} }
        : createProgressBar(terminal.err, printable(label), size),
  }
}
