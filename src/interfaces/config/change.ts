/** Changes `config.json`. */
import { mkdirSync } from 'node:fs'
import { utf8 } from '../../common/bytes.ts'
import { writeFileAtomic } from '../../storage/atomic-file.ts'
import { interfaceError } from '../errors.ts'
import { fromText } from '../json-schema.ts'
import { checked, configPath, property, readConfigFile } from './load.ts'
import { CONFIG_SCHEMA } from './schema.ts'

/**
 * Sets a key from a text, or takes it out. @throws CONFIG_INVALID, CONFIG_UNREADABLE
 */
export async function setConfig(
  dataDir: string,
  key: string,
  text: string | undefined,
): Promise<{ path: string; stored: unknown }> {
  const path = configPath(dataDir)
  const schema = property(key)
  if (schema === undefined) {
    const allowed = Object.keys(CONFIG_SCHEMA.properties).join(', ')
    throw interfaceError('CONFIG_INVALID', {
      problems: `${key}: found an unknown key, allowed is one of the keys ${allowed}.`,
    })
  }
  const { [key as keyof typeof CONFIG_SCHEMA.properties]: _, ...rest } = readConfigFile(path)
  const stored = text === undefined ? undefined : fromText(schema, text)
  const next = checked(stored === undefined ? rest : { ...rest, [key]: stored }, path)
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  writeFileAtomic(path, utf8(`${JSON.stringify(next, null, 2)}\n`), 0o600)
  return { path, stored }
}
