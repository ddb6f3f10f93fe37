/** `join` and `recovery use`: a directory's way into a network; then the node runs as `start` runs it. */
import { readFile } from 'node:fs/promises'
import { CairnError, codeOf, messageOf } from '../../../common/errors.ts'
import { decodeInvite } from '../../../common/invite-code.ts'
import { createLogger } from '../../../common/logger.ts'
import { secretFromWords } from '../../../common/mnemonic.ts'
import type { PairFailure } from '../../../network/pair/client.ts'
import type { Joined } from '../../../node/joining.ts'
import type { LoadedConfig } from '../../config/load.ts'
import { interfaceError } from '../../errors.ts'
import { printable } from '../format.ts'
import { readInput, secretFrom } from '../input.ts'
import type { Options } from '../register.ts'
import type { Session } from '../session.ts'
import { STDIN } from '../sources.ts'
import type { Prelude } from '../start-text.ts'
import { settingsOf, startAfter } from './start.ts'

export async function join(
  session: Session,
  [given = '']: readonly string[],
  options: Options,
): Promise<void> {
  const loaded = settingsOf(session, options)
  const code = given === STDIN ? await readInput(session, 'the code of an invite') : given
  // A code that cannot be right is told of before anything is made.
  const { kind } = decodeInvite(code)
  const { joinNetwork } = await import('../../../node/joining.ts')
  const { name = 'me', device_name = 'device' } = loaded.values
  const joined = await told(() =>
    joinNetwork(
      { ...baseOf(session, loaded), code, names: { user: name, device: device_name } },
      session.signal,
    ),
  )
  const who =
    kind === 'device'
      ? `a further device of the one who invited${joined.role === 'backup' ? '; it stores, and reads nothing' : ''}`
      : `${name}, ${WORDS[joined.role ?? 'member']}`
  const kit =
    kind === 'device' ? '' : '\nWrite down the 24 words of your recovery kit: cairn recovery show'
  await startAfter(
    session,
    loaded,
    options,
    preludeOf(joined, `Joined the network as ${who}.${kit}`),
  )
}

const WORDS = {
  admin: 'an admin',
  member: 'a member',
  backup: 'who stores for the others and reads nothing',
} as const

export async function useRecovery(
  session: Session,
  _args: readonly string[],
  options: Options,
): Promise<void> {
  const loaded = settingsOf(session, options)
  const addresses = await addressesOf(options)
  const { isCopy, recoverCopy } = await import('../../../node/joining-copy.ts')
  const copy = isCopy(session.dataDir)
  if (addresses.length === 0 && !copy) {
    throw interfaceError('USAGE', {
      why: 'Where are the others? Name a device of the network with --peer MULTIADDR, or a file of "cairn peers export" with --peers.',
    })
  }
  const words = await secretFrom(session, {
    what: 'the 24 words of a recovery kit',
    question: 'The 24 words of your recovery kit: ',
  })
  const entropy = secretFromWords(words)
  const { recoverUser } = await import('../../../node/joining.ts')
  const deviceName = loaded.values.device_name ?? 'device'
  const how = { ...baseOf(session, loaded), entropy, addresses, deviceName }
  const joined = await told(() =>
    copy ? recoverCopy(how, session.signal) : recoverUser(how, session.signal),
  )
  const alone =
    'alone' in joined && joined.alone
      ? ' No other device answered, so none knows of this one: when one can be reached, do it once more with --peer.'
      : ''
  const text = `You are back, with a new key for this device. Revoke the devices that are lost: cairn devices revoke NAME.${alone}`
  await startAfter(session, loaded, { ...options, peers: undefined }, preludeOf(joined, text))
}

function baseOf({ dataDir, note }: Session, { values }: LoadedConfig) {
  const said = new Set<string>()
  return {
    dataDir,
    logger: createLogger(values.log_level === 'debug' ? 'debug' : 'silent', note, Date.now),
    onWait: (failures: readonly PairFailure[]): void => {
      for (const { address, why } of failures) {
        const line = `${printable(address)}: ${WAITS[why] ?? why}`
        if (!said.has(line)) note(line)
        said.add(line)
      }
      if (!said.has('')) note('trying again until somebody answers; Ctrl-C ends it')
      said.add('')
    },
  }
}

const WAITS: Readonly<Partial<Record<PairFailure['why'], string>>> = {
  UNREACHABLE: 'nobody answers',
  BUSY: 'the device there is busy with another one',
  NOT_A_SPONSOR: 'the device there may let nobody in',
  INVITE_UNKNOWN: 'the device there has not heard of the invite yet',
  WRONG_ANSWER: 'what answers there is no device of this network',
  NOT_VALID: 'the device there finds something wrong with what was said',
}

/** What a member's refusal means to the one who was invited. */
const REFUSALS: Readonly<Record<string, string>> = {
  INVITE_EXPIRED: 'The invite has expired. Ask for a new one.',
  TOO_MANY_DEVICES:
    'You have as many devices as one person may have. Shut out one that you do not need any more: cairn devices revoke NAME.',
  INVITE_USED: 'The invite was used already; each is for one device. Ask for a new one.',
  INVITE_CANCELLED: 'The invite was cancelled. Ask for a new one.',
  INVITE_UNKNOWN: 'Nobody there knows the invite. Ask for a new one.',
  OTHER_NETWORK: 'The devices at the addresses belong to another network. Ask for a new invite.',
}

async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const words =
      error instanceof CairnError && error.code === 'PAIR_REFUSED'
        ? REFUSALS[String(error.details.why)]
        : undefined
    if (words === undefined || !(error instanceof CairnError)) throw error
    throw new CairnError(error.code, words, { details: error.details, cause: error })
  }
}

function preludeOf(joined: Joined, text: string): Prelude {
  const { network, user, device, ownDevice, role } = joined
  return { document: { joined: { network, user, device, ownDevice, role } }, text }
}

/** Bytes of a peers file; see network/peers-file.ts. */
const MAX_PEERS_FILE = 256 * 1024

/** @throws USAGE, PEERS_FILE_READ */
async function addressesOf({ peer, peers }: Options): Promise<string[]> {
  const given = Array.isArray(peer) ? (peer as string[]) : []
  if (typeof peers !== 'string') return given
  let file: unknown
  try {
    file = JSON.parse((await readFile(peers, 'utf8')).slice(0, MAX_PEERS_FILE))
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'it is not there' : messageOf(error)
    throw interfaceError('CONFIG_UNREADABLE', { path: peers, why }, error)
  }
  const { bootstrap } = (file ?? {}) as { bootstrap?: unknown }
  if (!Array.isArray(bootstrap)) {
    throw interfaceError('CONFIG_UNREADABLE', { path: peers, why: 'it has no list "bootstrap"' })
  }
  return [...given, ...bootstrap.map(String)]
}
