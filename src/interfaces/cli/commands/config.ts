/** config, completions. */
import { Command } from 'commander'
import { CONFIG_SCHEMA } from '../../config/schema.ts'
import { interfaceError } from '../../errors.ts'
import { describe } from '../../json-schema.ts'
import { table } from '../format.ts'
import type { CommandSetup } from '../register.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const

export function registerConfig({ program, register }: CommandSetup): void {
  const config = program
    .command('config')
    .description('settings: what there is, and changing them')
    .helpCommand(false)
  const show = new Command('show').description('all settings, and where each comes from')
  register(show, async (session) => {
    const { loadConfig } = await import('../../config/load.ts')
    const { values, sources } = loadConfig(session.dataDir, session.environment, {})
    session.result({ values, sources }, () =>
      table(
        ['key', 'value', 'from'],
        Object.entries(values).map(([key, value]) => [
          key,
          JSON.stringify(value),
          sources[key as keyof typeof sources] ?? '',
        ]),
      ),
    )
  })
  const schema = new Command('schema').description('the JSON Schema of config.json')
  register(schema, async (session) => {
    session.result(CONFIG_SCHEMA, () => JSON.stringify(CONFIG_SCHEMA, null, 2))
  })
  const set = new Command('set')
    .description('write a setting into config.json; it holds from the next start')
    .argument('<key>', 'see: cairn config keys')
    .argument('<value>', 'lists: with commas between')
  register(set, async (session, [key = '', value = '']) => {
    const { setConfig } = await import('../../config/change.ts')
    const { path, stored } = await setConfig(session.dataDir, key, value)
    session.result(
      { path, key, value: stored },
      `${key} is ${JSON.stringify(stored)} from the next start`,
    )
  })
  const unset = new Command('unset')
    .description('take a setting out of config.json')
    .argument('<key>', 'the key')
  register(unset, async (session, [key = '']) => {
    const { setConfig } = await import('../../config/change.ts')
    const { path } = await setConfig(session.dataDir, key, undefined)
    session.result({ path, key, value: null }, `${key} has its default from the next start`)
  })
  const keys = new Command('keys').description('the keys, in words')
  register(keys, async (session) => {
    const entries = Object.entries(CONFIG_SCHEMA.properties)
    session.result({ keys: Object.keys(CONFIG_SCHEMA.properties) }, () =>
      table(
        ['key', 'allowed', 'what'],
        entries.map(([key, value]) => [key, describe(value), value.description]),
      ),
    )
  })
  for (const command of [show, schema, set, unset, keys]) {
    config.addCommand(command.copyInheritedSettings(program))
  }

  register(
    program
      .command('completions')
      .description('a completion script for your shell')
      .argument('<shell>', SHELLS.join(', ')),
    async (session, [shell = '']) => {
      const known = SHELLS.find((name) => name === shell)
      if (known === undefined) {
        throw interfaceError('USAGE', {
          why: `${shell} is not known; allowed: ${SHELLS.join(', ')}.`,
        })
      }
      const { completionScript } = await import('../completions.ts')
      const script = completionScript(program, known)
      session.result({ shell: known, script }, script.trimEnd())
    },
  )
}
