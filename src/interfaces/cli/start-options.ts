/** The options of every command that runs a node. */
import { type Command, Option } from 'commander'

export function runOptions(command: Command): Command {
  return command
    .option('--detach', 'run in the background, also when this terminal closes')
    .option('--name <name>', 'your name, for the first start')
    .option('--device-name <name>', "this device's name, for the first start")
    .option('--port <port>', 'port of the HTTP API (5005)')
    .option('--host <address>', 'address of the HTTP API and the gateway (127.0.0.1)')
    .option('--gateway-port <port>', 'port of the IPFS gateway (8085)')
    .option('--listen <multiaddr...>', 'where to listen for other devices')
    .option('--max-storage <gigabytes>', 'content to store at most')
    .option('--passphrase-file <file>', 'a file whose first line is the passphrase of the keys')
    .option('--backup-passphrase-file <file>', 'a file whose first line opens the backups')
    .option('--recovery-words-file <file>', 'a file with the 24 words, to restore from backups')
    .option('--new-network', 'found a network although the backups cannot be read')
    .addOption(new Option('--node-id <id>', 'the same as --device-name').hideHelp())
}
