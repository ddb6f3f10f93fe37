/** backup: by hand, listed, read, restored, practised; and the key that opens them. */
import { Command } from 'commander'
import type { CommandSetup } from '../register.ts'

export function registerBackups({ program, register }: CommandSetup): void {
  const backup = program
    .command('backup')
    .description('backups: what is kept where, and whether it comes back')
  register(backup, async (session) => (await actions()).overview(session))
  const add = (command: Command): Command => {
    backup.addCommand(command.copyInheritedSettings(program))
    return command
  }
  const create = add(
    new Command('create')
      .description('back up now, also when nothing is new')
      .option('--name <name>', 'what it is called', 'Manual backup')
      .option('--to <destination>', 'only this destination, by its name or kind')
      .option('--full', 'write everything anew'),
  )
  register(create, async (session, _args, options) => (await actions()).create(session, options))
  register(add(new Command('list').description('all backups, the newest first')), async (session) =>
    (await actions()).list(session),
  )
  const verify = add(
    new Command('verify')
      .description('read backups from their destination, compare and open them')
      .argument('[id]', 'a backup or a destination; default: the newest of each destination'),
  )
  register(verify, async (session, [id]) => (await actions()).verify(session, id))
  const drill = add(
    new Command('drill')
      .description('restore for practice, replay, and compare with what is here')
      .argument('[destination]', 'its name or kind; default: all'),
  )
  register(drill, async (session, [to]) => (await actions()).drill(session, to))
  const prune = add(
    new Command('prune')
      .description('remove what no rule of retention wants')
      .argument('[destination]', 'its name or kind; default: all'),
  )
  register(prune, async (session, [from]) => (await actions()).prune(session, from))
  const restore = add(
    new Command('restore')
      .description('bring back what backups hold; without a running node into the data directory')
      .argument('[id]', 'newest, a number, id, name or CID of a backup, or a time', 'newest')
      .option('--cid <cid>', 'a backup on IPFS, by its CID alone, from any gateway')
      .option('--allow-rollback', 'also behind what is here')
      .option('--new-network', 'also a backup of another network than is here')
      .option('--backup-passphrase-file <file>', 'a file whose first line opens the backups')
      .option('--recovery-words-file <file>', 'a file with the 24 words')
      .option('--yes', 'do not ask'),
  )
  register(restore, async (session, args, options) =>
    (await import('../actions/backup-restore.ts')).restore(session, args, options),
  )
  const key = add(new Command('key').description('the key that opens the backups'))
  register(key, async (session) => (await actions()).key(session, {}))
  const show = new Command('show')
    .description('the key itself, as the tool age reads it')
    .option('--yes', 'also where no terminal shows it')
  register(show, async (session, _args, options) =>
    (await actions()).key(session, { ...options, show: true }),
  )
  const passphrase = new Command('passphrase')
    .description('let a passphrase open the backups, from a prompt or standard input')
    .option('--passphrase-file <file>', 'a file whose first line it is')
  register(passphrase, async (session, _args, options) =>
    (await actions()).passphrase(session, options),
  )
  for (const command of [show, passphrase]) key.addCommand(command.copyInheritedSettings(program))
}

const actions = () => import('../actions/backup.ts')
