/** Bytes in and out: add, update, get, cat. */

import { Option } from 'commander'
import { waitOptions, wholeNumber } from '../records-wait.ts'
import type { CommandSetup } from '../register.ts'

export function registerTransfer({ program, register }: CommandSetup): void {
  const add = program
    .command('add')
    .description('add files; "-" reads standard input')
    .argument('<path...>', 'files, with --recursive also folders')
    .option('--public', 'every member, and anyone who knows its CID, can read it; else private')
    .option('--recursive', 'the files in folders too; they keep their place in them')
    .option('--name <name>', 'another name than that of the path')
    .option('--media-type <type>', 'another type than that of the name')
  for (const option of waitOptions()) add.addOption(option)
  register(add, async (...args) => (await import('../actions/add.ts')).add(...args))

  const update = program
    .command('update')
    .description('add a new version of a file')
    .argument('<file>', 'name, id, beginning of an id, or CID')
    .argument('<path>', 'the new bytes; "-" reads standard input')
    .option('--media-type <type>', 'another type than before')
  for (const option of waitOptions()) update.addOption(option)
  register(update, async (...args) => (await import('../actions/add.ts')).update(...args))

  const get = program
    .command('get')
    .description('fetch a file, verified; goes on where it stopped')
    .argument('<file>', 'name, id, beginning of an id, or CID')
    .option('-o, --output <path>', 'file or folder to write to; "-" is standard output')
    .option('--version <version>', 'number or id of an older version')
    .addOption(timeoutOption())
    .option('--force', 'overwrite what is there')
  register(get, async (...args) => (await import('../actions/get.ts')).get(...args))

  const cat = program
    .command('cat')
    .description('print a file, or a range of it')
    .argument('<file>', 'name, id, beginning of an id, or CID')
    .option('--range <a-b>', 'bytes a to b, both included; "a-": to the end, "-n": the last n')
    .option('--version <version>', 'number or id of an older version')
    .addOption(timeoutOption())
  register(cat, async (...args) => (await import('../actions/get.ts')).cat(...args))
}

const MAX_FETCH_SECONDS = 86_400

function timeoutOption(): Option {
  return new Option(
    '--timeout <seconds>',
    "how long to wait, for the key of somebody else's private file too",
  ).argParser((text) => wholeNumber(text, 1, MAX_FETCH_SECONDS))
}
