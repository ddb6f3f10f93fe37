/** All commands. Each file of `commands/` registers its own; what they need is loaded when they run. */
import { Command } from 'commander'
import { dataDirectory } from '../config/data-dir.ts'
import { registerAccess } from './commands/access.ts'
import { registerBackups } from './commands/backups.ts'
import { registerCertificates } from './commands/certificates.ts'
import { registerChain } from './commands/chain.ts'
import { registerConfig } from './commands/config.ts'
import { registerFiles } from './commands/files.ts'
import { registerLegacy } from './commands/legacy.ts'
import { registerMembers } from './commands/members.ts'
import { registerNode } from './commands/node.ts'
import { registerPeople } from './commands/people.ts'
import { registerTransfer } from './commands/transfer.ts'
import { registerVotes } from './commands/votes.ts'
import type { CommandSetup, Options, Register } from './register.ts'
import { createSession, type GlobalOptions, type RunInit } from './session.ts'

/** @param onUsage - told what is wrong with the arguments */
export function createProgram(init: RunInit, onUsage: (text: string) => void): Command {
  const program: Command = new Command('cairn')
    .description('Files of one person or one team on all their devices, with a signed history.')
    .option('--json', 'one JSON document on standard output, nothing else there')
    .option('--quiet', 'no notes and no progress')
    .option('--data-dir <dir>', 'data directory (environment: CAIRN_DATA_DIR)')
    .helpCommand('help [command]', 'help for a command')
    .configureHelp({
      showGlobalOptions: true,
      // Those that every command takes; not those of the command above, which this one does not heed.
      visibleGlobalOptions: (command) => (command === program ? [] : [...program.options]),
    })
    .showSuggestionAfterError(true)
    // `--version` belongs to the commands that take a version of a file; run.ts answers the program's own.
    .addHelpText('after', '\ncairn --version prints the version of the program.')
    // Before the commands are made: they inherit both.
    .configureOutput({ writeOut: (text) => void init.terminal.out.write(text), writeErr: onUsage })
    .exitOverride()
  const register: Register = (command, handle) => {
    command.action(async () => {
      const options = program.opts<GlobalOptions>()
      const dataDir = dataDirectory(options.dataDir, init.environment)
      const session = createSession(options, { ...init, dataDir })
      await handle(session, command.processedArgs.flat(), command.opts<Options>())
    })
  }
  const setup: CommandSetup = { program, register }
  registerNode(setup)
  registerFiles(setup)
  registerTransfer(setup)
  registerAccess(setup)
  registerVotes(setup)
  registerCertificates(setup)
  registerLegacy(setup)
  registerMembers(setup)
  registerPeople(setup)
  registerBackups(setup)
  registerChain(setup)
  registerConfig(setup)
  return program
}
