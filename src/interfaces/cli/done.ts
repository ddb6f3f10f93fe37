import type { ExitCode } from '../error-codes.ts'

/** Ends a command that has told its result, with another exit code than 0. */
export class Done extends Error {
  readonly exit: ExitCode
  constructor(exit: ExitCode) {
    super('done')
    this.exit = exit
  }
}
