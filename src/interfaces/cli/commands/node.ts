/** start, stop, status, doctor. */
import { Option } from 'commander'
import type { CommandSetup } from '../register.ts'
import { runOptions } from '../start-options.ts'

export function registerNode({ program, register }: CommandSetup): void {
  const start = runOptions(
    program
      .command('start')
      .description('run a node; the first start makes its data directory, its key and a network'),
  )
    .option('--peers <file>', 'bootstrap file of the network to join')
    .option('--open', 'a network that this start founds takes in anybody, without an invite')
    .addOption(new Option('--role <role>', 'what this node is').choices(['member', 'backup']))
    .option('--main-address <host>', 'for a backup node: host of the node that it serves')
    .option('--main-port <port>', 'for a backup node: port of the node that it serves')
    .option('--dev-mode', 'a throw-away network of three nodes in one process')
    .addOption(new Option('--difficulty-floor <hashes>', 'for tests: work of a block').hideHelp())
  register(start, async (session, _args, options) =>
    (await import('../actions/start.ts')).start(session, options),
  )
  register(
    program.command('stop').description('stop the node; everything is flushed first'),
    async (session) => (await import('../actions/stop.ts')).stop(session),
  )
  register(
    program.command('status').description('what the node has, knows and does'),
    async (session) => (await import('../actions/status.ts')).status(session),
  )
  register(
    program
      .command('doctor')
      .description('checks: ports, disk, permissions, clock, peers, damage; and remedies')
      .option('--deep', 'read and hash all content too'),
    async (session, _args, options) =>
      (await import('../actions/doctor.ts')).doctor(session, options),
  )
}
