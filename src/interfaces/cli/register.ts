/** How a file of `commands/` adds its commands. */
import type { Command } from 'commander'
import type { Session } from './session.ts'

/** Gives a command's handler its session, arguments and options. */
export type Register = (
  command: Command,
  handle: (session: Session, args: readonly string[], options: Options) => Promise<void>,
) => void

/** Options as commander gives them; each handler knows its own. */
export type Options = Readonly<Record<string, string | boolean | readonly string[] | undefined>>

export interface CommandSetup {
  readonly program: Command
  readonly register: Register
}
