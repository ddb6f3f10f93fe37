/** Whether what opens this node stays with its user: who can read it on this machine, and who could guess it. */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../../../common/errors.ts'
import type { Check } from '../../http/api.ts'
import { tokenPath, weaknessOf } from '../../http/token.ts'
import { givenToken } from '../api-token.ts'
import type { Session } from '../session.ts'

export async function secretChecks(
  session: Pick<Session, 'dataDir' | 'environment'>,
): Promise<Check[]> {
  return [await readersCheck(session.dataDir), await tokenCheck(session)]
}

async function readersCheck(dataDir: string): Promise<Check> {
  const name = 'secrets'
  for (const path of [tokenPath(dataDir), join(dataDir, 'keys')]) {
    const mode = await stat(path).then(
      (found) => found.mode,
      () => 0,
    )
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      return {
        name,
        result: 'failed',
        says: `others on this machine may read ${path}`,
        remedy: `chmod go-rwx ${path}`,
      }
    }
  }
  return { name, result: 'ok', says: 'only this user can read token and keys', remedy: null }
}

async function tokenCheck({
  dataDir,
  environment,
}: Pick<Session, 'dataDir' | 'environment'>): Promise<Check> {
  const name = 'token'
  try {
    givenToken(environment)
  } catch (error) {
    const remedy = 'set another one, or none: then the node makes one'
    return { name, result: 'failed', says: messageOf(error), remedy }
  }
  const path = tokenPath(dataDir)
  const token = (await readFile(path, 'utf8').catch(() => '')).trim()
  const why = token === '' ? undefined : weaknessOf(token)
  if (why === undefined) {
    return { name, result: 'ok', says: 'nothing shows that it could be guessed', remedy: null }
  }
  return {
    name,
    result: 'warning',
    says: `the token of the HTTP API in ${path} can be guessed: ${why}`,
    remedy: `stop the node, remove ${path} or set CAIRN_API_TOKEN, and start it again`,
  }
}
