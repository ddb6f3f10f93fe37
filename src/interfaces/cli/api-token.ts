/** The token of the HTTP API that the operator chose: from a file or the environment; never an argument. */
import type { Environment } from '../config/load.ts'
import { interfaceError } from '../errors.ts'
import { weaknessOf } from '../http/token.ts'
import { passphraseInFile } from './passphrase.ts'

/** Undefined: nobody chose one. @throws TOKEN_WEAK, CONFIG_UNREADABLE */
export function givenToken(environment: Environment): string | undefined {
  const { CAIRN_API_TOKEN: text = '', CAIRN_API_TOKEN_FILE: file = '' } = environment
  const token = file === '' ? text.trim() : passphraseInFile(file).trim()
  if (token === '') return undefined
  const why = weaknessOf(token)
  if (why !== undefined) throw interfaceError('TOKEN_WEAK', { why })
  return token
}
