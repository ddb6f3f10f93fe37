/** Where backups go and what opens them, from the environment, files and, at a terminal, a person. */
import { relative } from 'node:path'
import { type CairnError, messageOf } from '../../common/errors.ts'
import { secretFromWords } from '../../common/mnemonic.ts'
import type { BackupOptions, BackupSecrets } from '../../node/options.ts'
import { backupError } from '../../services/backup/errors.ts'
import type { LoadedConfig } from '../config/load.ts'
import { interfaceError } from '../errors.ts'
import { ask, canAsk } from './input.ts'
import { askParent } from './parent.ts'
import { passphraseInFile } from './passphrase.ts'
import type { Options } from './register.ts'
import type { Session } from './session.ts'

/** How variables of destinations begin. */
const VARIABLES =
  /^(?:DATABASE_URL|R2_|S3_|GCS_|PINATA_|PINNING_|RENDER_API|CAIRN_BACKUP_(?:FOLDER|CID))/
const MAX_WORDS_TEXT = 8192
/** Words of a recovery kit: so many are no passphrase. */
const KIT_WORDS = 24
/** Wrong answers, before the start gives up. */
const MAX_TRIES = 3

/** @throws CONFIG_UNREADABLE, WORDS_COUNT, WORDS_UNKNOWN, WORDS_CHECKSUM */
export async function backupOptions(
  session: Session,
  loaded: LoadedConfig,
  options: Options,
): Promise<BackupOptions> {
  const { values } = loaded
  const { backup_keep_last: last, backup_keep_days: days } = values
  const retention = {
    ...(last === undefined ? {} : { last }),
    ...(days === undefined ? {} : { days }),
  }
  return {
    ...(await destinationsOf(session, loaded)),
    fromCid: async (cid) => {
      const { cidPlan } = await import('../../services/backup/environment/cid.ts')
      return cidPlan(session.environment, cid)
    },
    given: await givenSecrets(session, options),
    ask: secretsAsker(session),
    newNetwork: options.newNetwork === true,
    retention: Object.keys(retention).length === 0 ? undefined : retention,
    contents: values.backup_contents,
    prices: await pricesOf(values.backup_prices),
  }
}

type Configured = Required<Pick<BackupOptions, 'plans' | 'sources' | 'faults'>>

/** Where backups go, by the environment and the configuration. */
export async function destinationsOf(
  { environment, dataDir }: Session,
  { values }: LoadedConfig,
): Promise<Configured> {
  const folder = values.backup_folder
  const { plans, sources, faults } = await configured({
    ...environment,
    ...(folder === undefined ? {} : { CAIRN_BACKUP_FOLDER: folder }),
  })
  const isInside = folder !== undefined && !/^\.\.|^\//.test(relative(dataDir, folder))
  return {
    sources,
    plans: isInside ? plans.filter(({ kind }) => kind !== 'folder') : plans,
    faults: isInside ? [...faults, insideError()] : faults,
  }
}

/** Nothing of it is loaded where no variable of any destination is set. */
async function configured(environment: Session['environment']): Promise<Configured> {
  const isAny = Object.entries(environment).some(([name, value]) => value && VARIABLES.test(name))
  if (!isAny) return { plans: [], sources: [], faults: [] }
  const { destinationsFrom } = await import('../../services/backup/from-environment.ts')
  return destinationsFrom(environment)
}

async function pricesOf(given: LoadedConfig['values']['backup_prices']) {
  if (given === undefined) return undefined
  const { PRICES } = await import('../../services/backup/prices.ts')
  const rows = Object.entries(given).map(([kind, price]) => [
    kind,
    { ...PRICES[kind as keyof typeof PRICES], ...(price as object) },
  ])
  return Object.fromEntries(rows) as Partial<typeof PRICES>
}

/** What files and the environment say; flags first. */
export async function givenSecrets(session: Session, options: Options): Promise<BackupSecrets> {
  const { environment } = session
  const passphraseFile =
    textOf(options.backupPassphraseFile) ?? textOf(environment.CAIRN_BACKUP_PASSPHRASE_FILE)
  const passphrase =
    passphraseFile === undefined
      ? textOf(environment.CAIRN_BACKUP_PASSPHRASE)
      : passphraseInFile(passphraseFile)
  const wordsFile =
    textOf(options.recoveryWordsFile) ?? textOf(environment.CAIRN_RECOVERY_WORDS_FILE)
  const words =
    wordsFile === undefined
      ? textOf(environment.CAIRN_RECOVERY_WORDS)
      : await wordsInFile(wordsFile)
  return {
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(words === undefined ? {} : { kit: secretFromWords(words) }),
  }
}

/** A folder there is lost with what it is to save. */
function insideError(): CairnError {
  return backupError('DESTINATION_SETTING', {
    variable: 'CAIRN_BACKUP_FOLDER',
    destination: 'folder',
    why: 'it is in the data directory, and would be lost with it; name a folder on another disk',
  })
}

const textOf = (value: Options[string]): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined

async function wordsInFile(path: string): Promise<string> {
  const { readFile } = await import('node:fs/promises')
  try {
    return (await readFile(path, 'utf8')).slice(0, MAX_WORDS_TEXT)
  } catch (error) {
    throw interfaceError('CONFIG_UNREADABLE', { path, why: messageOf(error) }, error)
  }
}

/** Asks at the terminal, or has the process ask that started this one; undefined: nobody can be asked. */
function secretsAsker(session: Session): BackupOptions['ask'] {
  const isDetached = session.environment.CAIRN_DETACHED === '1'
  if (!isDetached && !canAsk(session)) return undefined
  const atTerminal = backupSecretAsker(session)
  return async (wrong) => {
    const answer = await (isDetached ? askParent('backup', wrong) : atTerminal(wrong))
    if (answer === undefined) return undefined
    const isKit = answer.split(/\s+/).length >= KIT_WORDS
    return isKit ? { kit: secretFromWords(answer) } : { passphrase: answer }
  }
}

/** What a person types to open the backups; undefined: nobody can be asked, or it was wrong too often. */
export function backupSecretAsker(
  session: Session,
): (wrong: boolean) => Promise<string | undefined> {
  let tries = 0
  return async (wrong) => {
    if (!canAsk(session) || tries >= MAX_TRIES) return undefined
    tries += 1
    session.note(
      wrong
        ? 'That did not open them.'
        : 'There are backups. Their passphrase opens them, or the 24 words of the recovery kit.',
    )
    return (await ask(session, 'Passphrase or words: ', { hidden: true })).trim()
  }
}
