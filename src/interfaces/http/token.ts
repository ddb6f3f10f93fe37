/** The token of the HTTP API: where it stands, who may choose it, and what is too easily guessed. */
import { randomBytes } from 'node:crypto'
import { chmod, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../../common/errors.ts'
import { interfaceError } from '../errors.ts'

const TOKEN_BYTES = 32
/** What a header carries as it is, and nobody guesses when it is random: 32 hex digits are 128 bits. */
const TOKEN = /^[\w.~+/-]{32,256}=*$/
const ALLOWED = '32 to 256 letters, digits and - _ . ~ + /'
/**
 * Different pairs of neighbours below which a token repeats itself: 32 random hex digits have some 29, random decimal
 * ones 27, and words said again and again as many as the word is long.
 */
const MIN_PAIRS = 18

/**
 * What makes a token easy to guess; undefined: nothing that shows. Whether it is random does not show.
 *
 * @returns a sentence without the token
 */
export function weaknessOf(token: string): string | undefined {
  if (!TOKEN.test(token)) return `it is not made of ${ALLOWED}`
  const pairs = new Set(
    Array.from({ length: token.length - 1 }, (_, at) => token.slice(at, at + 2)),
  )
  return pairs.size < MIN_PAIRS ? 'it repeats itself' : undefined
}

/** The file of a data directory in which the token stands. */
export function tokenPath(dataDir: string): string {
  return join(dataDir, 'token')
}

/**
 * The token of a data directory, in its file (mode 0600), where the clients of this machine find it.
 *
 * @param given - chosen by the operator; takes the place of what stands there. Without it the file stays as it is, and
 *   one is made where there is none
 * @throws TOKEN_WEAK
 */
export async function ensureToken(dataDir: string, given?: string): Promise<string> {
  const why = given === undefined ? undefined : weaknessOf(given)
  if (why !== undefined) throw interfaceError('TOKEN_WEAK', { why })
  const path = tokenPath(dataDir)
  try {
    const token = (await readFile(path, 'utf8')).trim()
    if (TOKEN.test(token) && token === (given ?? token)) {
      await chmod(path, 0o600)
      return token
    }
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
  const token = given ?? randomBytes(TOKEN_BYTES).toString('base64url')
  const file = await open(`${path}.new`, 'w', 0o600)
  try {
    await file.chmod(0o600)
    await file.writeFile(`${token}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
  return token
}
