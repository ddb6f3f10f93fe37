/** Our logger in the form that libp2p and Helia take. Theirs goes to `debug`: it speaks of the network's text. */
import type { ComponentLogger, Logger as Libp2pLogger } from '@libp2p/interface'
import type { Logger } from '../common/logger.ts'

/** Arguments of one line that are shown; libp2p passes whole objects now and then. */
const MAX_ARGUMENT_CHARACTERS = 200

export function libp2pLogger(logger: Logger): ComponentLogger {
  const make = (name: string): Libp2pLogger => {
    const scoped = logger.child(name)
    // Nothing is rendered here unless the level asks for it: the fields are read only when the line is written.
    const log = (sentence: unknown, ...args: unknown[]): void => {
      scoped.debug(String(sentence), args.length === 0 ? {} : { args: lazy(args) })
    }
    return Object.assign(log, {
      error: log,
      trace: () => {},
      enabled: false,
      newScope: (scope: string) => make(`${name}:${scope}`),
    })
  }
  return { forComponent: make }
}

function lazy(args: readonly unknown[]): { toJSON(): string } {
  return {
    toJSON: () =>
      args
        .map((arg) => String(arg))
        .join(' ')
        .slice(0, MAX_ARGUMENT_CHARACTERS),
  }
}
