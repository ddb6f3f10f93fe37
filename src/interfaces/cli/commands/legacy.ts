/** import, export: the files of a forerunner of this program. */
import { Option } from 'commander'
import { waitOptions } from '../records-wait.ts'
import type { CommandSetup } from '../register.ts'

const format = (): Option =>
  new Option('--format <format>', 'of the files').choices(['legacy-json']).default('legacy-json')

export function registerLegacy({ program, register }: CommandSetup): void {
  const imports = program
    .command('import')
    .description('take in blockchain.json, verifications.json and contracts.json of a forerunner')
    .argument('[path...]', 'the files, or the folder that holds them')
    .addOption(format())
    .option('--public', 'every member, and anyone who knows its CID, can read it')
    .option('--name <name>', 'name of the file that holds them here')
    .option('--list', 'what was imported')
    .option('--show <import>', 'what is in one of them: id, or beginning of an id')
  for (const option of waitOptions()) imports.addOption(option)
  register(imports, async (...args) =>
    (await import('../actions/import-legacy.ts')).importLegacy(...args),
  )

  const exports = program
    .command('export')
    .description('write blockchain.json, verifications.json and contracts.json')
    .argument('<folder>', 'folder to write to')
    .addOption(format())
    .option('--from <import>', 'an import, byte by byte; otherwise the history of this network')
    .option('--private', 'also the private files that this device can open')
    .option('--force', 'overwrite what is there')
  register(exports, async (...args) =>
    (await import('../actions/export-legacy.ts')).exportLegacy(...args),
  )
}
