/** Flags over environment over `config.json` over defaults. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf, messageOf } from '../../common/errors.ts'
import { interfaceError } from '../errors.ts'
import { check, fromText, type Problem } from '../json-schema.ts'
import {
  CONFIG_SCHEMA,
  type Config,
  type ConfigKey,
  defaults,
  type PartialConfig,
} from './schema.ts'

export type Environment = Readonly<Record<string, string | undefined>>
export type Source = 'flag' | 'environment' | 'file' | 'default'

export interface LoadedConfig {
  readonly values: Config
  /** Where each value comes from. */
  readonly sources: Readonly<Partial<Record<ConfigKey, Source>>>
}

/** Names that begin like a setting and are none. */
const NO_SETTINGS = new Set([
  'CAIRN_DATA_DIR',
  'CAIRN_LAUNCHER_PID',
  'CAIRN_DETACHED',
  'CAIRN_API_TOKEN',
  'CAIRN_API_TOKEN_FILE',
  'CAIRN_PASSPHRASE',
  'CAIRN_PASSPHRASE_FILE',
  'CAIRN_BACKUP_PASSPHRASE',
  'CAIRN_BACKUP_PASSPHRASE_FILE',
  'CAIRN_BACKUP_CID',
  'CAIRN_RECOVERY_WORDS',
  'CAIRN_RECOVERY_WORDS_FILE',
])
/** Bytes of a configuration file: every key and a thousand addresses fit. */
const MAX_CONFIG_BYTES = 1_000_000

/** @throws CONFIG_INVALID, CONFIG_UNREADABLE */
export function loadConfig(
  dataDir: string,
  environment: Environment,
  flags: PartialConfig,
): LoadedConfig {
  const layers: readonly (readonly [Source, PartialConfig])[] = [
    ['default', defaults()],
    ['file', readConfigFile(configPath(dataDir))],
    ['environment', fromEnvironment(environment)],
    ['flag', checked(flags, 'flags', (key) => `--${key.replaceAll('_', '-')}`)],
  ]
  const values: Record<string, unknown> = {}
  const sources: Partial<Record<ConfigKey, Source>> = {}
  for (const [source, layer] of layers) {
    for (const [key, value] of Object.entries(layer)) {
      if (value === undefined) continue
      values[key] = value
      sources[key as ConfigKey] = source
    }
  }
  // The forerunner's name counts where nobody chose this program's own.
  if (sources.device_name === 'default' && values.node_id !== undefined) {
    values.device_name = values.node_id
  }
  return { values: values as Config, sources }
}

export function configPath(dataDir: string): string {
  return join(dataDir, 'config.json')
}

/** What the file says; nothing when there is none. @throws CONFIG_INVALID, CONFIG_UNREADABLE */
export function readConfigFile(path: string): PartialConfig {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return {}
    throw interfaceError('CONFIG_UNREADABLE', { path, why: messageOf(error) }, error)
  }
  if (text.length > MAX_CONFIG_BYTES) {
    throw interfaceError('CONFIG_UNREADABLE', {
      path,
      why: `it is larger than ${MAX_CONFIG_BYTES} bytes`,
    })
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw interfaceError(
      'CONFIG_UNREADABLE',
      { path, why: `it is not JSON (${messageOf(error)})` },
      error,
    )
  }
  return checked(value, path)
}

/** Settings of the environment: `CAIRN_GATEWAY_PORT=…` is `gateway_port`; lists have commas between. */
export function fromEnvironment(environment: Environment): PartialConfig {
  const value: Record<string, unknown> = {}
  for (const [variable, text] of Object.entries(environment)) {
    if (text === undefined || !variable.startsWith('CAIRN_') || NO_SETTINGS.has(variable)) continue
    const key = variable.slice('CAIRN_'.length).toLowerCase()
    const schema = property(key)
    value[key] = schema === undefined ? text : fromText(schema, text)
  }
  return checked(value, 'the environment', (key) => `CAIRN_${key.toUpperCase()}`)
}

/** The schema of a key; undefined when there is no such key. */
export function property(key: string) {
  const { properties } = CONFIG_SCHEMA
  return Object.hasOwn(properties, key) ? properties[key as ConfigKey] : undefined
}

/** @throws CONFIG_INVALID naming each key, what was found, what is allowed */
export function checked(
  value: unknown,
  source: string,
  nameOf: (key: string) => string = (key) => key,
): PartialConfig {
  const problems = check(CONFIG_SCHEMA, value, '')
  if (problems.length === 0) return value as PartialConfig
  const says = ({ where, found, allowed }: Problem): string =>
    `${where === '' ? source : `${nameOf(where)} in ${source}`}: found ${found}, allowed is ${allowed}.`
  throw interfaceError('CONFIG_INVALID', { problems: problems.map(says).join(' ') })
}
