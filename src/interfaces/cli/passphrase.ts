/** Where the passphrase of the keys comes from: a file, the environment, a prompt, standard input; never an argument. */
import { readFileSync } from 'node:fs'
import { messageOf } from '../../common/errors.ts'
import { interfaceError } from '../errors.ts'
import { ask, canAsk, readInput } from './input.ts'
import { askParent } from './parent.ts'
import type { Options } from './register.ts'
import type { Session } from './session.ts'

/** Wrong ones at a prompt, before the start gives up. */
const MAX_TRIES = 3
const MAX_FILE_BYTES = 4096

/** The one that a file or the environment names. @throws CONFIG_UNREADABLE */
function givenPassphrase(session: Session, options: Options): string | undefined {
  const { environment } = session
  const file = options.passphraseFile ?? environment.CAIRN_PASSPHRASE_FILE
  if (typeof file === 'string' && file !== '') return passphraseInFile(file)
  const { CAIRN_PASSPHRASE: given } = environment
  return given === '' ? undefined : given
}

/** The first line of a file. @throws CONFIG_UNREADABLE */
export function passphraseInFile(path: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw interfaceError('CONFIG_UNREADABLE', { path, why: messageOf(error) }, error)
  }
  const [line = ''] = text.slice(0, MAX_FILE_BYTES).split(/\r?\n/)
  if (line === '') {
    throw interfaceError('CONFIG_UNREADABLE', { path, why: 'its first line is empty' })
  }
  return line
}

/** What `start` answers when the keys are locked; at a terminal it asks, and again when it was wrong. */
export function passphraseForStart(
  session: Session,
  options: Options,
): (wrong: boolean) => Promise<string | undefined> {
  let tries = 0
  return async (wrong) => {
    const given = givenPassphrase(session, options)
    if (given !== undefined) return wrong ? undefined : given
    if (session.environment.CAIRN_DETACHED === '1') return askParent('passphrase', wrong)
    if (!canAsk(session) || tries >= MAX_TRIES) return undefined
    tries += 1
    const question = wrong ? 'That was not it. Passphrase: ' : 'Passphrase of the keys: '
    return ask(session, question, { hidden: true })
  }
}

/** A new passphrase: twice at a terminal, once from anywhere else. @throws USAGE when the two differ, PASSPHRASE_EMPTY */
export async function newPassphrase(session: Session, options: Options): Promise<string> {
  const given = givenPassphrase(session, options)
  if (given !== undefined) return given
  if (!canAsk(session)) return readInput(session, 'the new passphrase')
  const first = await ask(session, 'New passphrase: ', { hidden: true })
  const second = await ask(session, 'Once more: ', { hidden: true })
  if (first !== second) {
    throw interfaceError('USAGE', { why: 'The two are not the same. Nothing was changed.' })
  }
  return first
}
