/**
 * The side of pairing that asks: a host of its own, with the key of an invite or a recovery key as its identity,
 * that listens nowhere.
 */
import type { DeviceId, NetworkId } from '../../chain/ids.ts'
import { type Clock, sleep } from '../../common/clock.ts'
import { CairnError, codeOf, messageOf } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import { parseAddress, placeOf } from '../address.ts'
import { createDeadline } from '../deadline.ts'
import { networkError } from '../errors.ts'
import { createFrames } from '../frames.ts'
import { createHost, type Host } from '../host.ts'
import {
  type Claims,
  decodeAnswer,
  encodeQuestion,
  type Here,
  MAX_PAIR_FRAME_BYTES,
  PAIR_PROTOCOL,
  type PairAnswer,
  type PairQuestion,
  type Refusal,
  type Sponsored,
  type Welcome,
} from './messages.ts'

/** A member that answers. Each throws `PAIR_REFUSED` with the `why` of the member, or `PAIR_STREAM`. */
export interface PairMember {
  readonly device: DeviceId
  /** Where it was reached, without `/p2p/`. */
  readonly place: string
  hello(network: NetworkId | null): Promise<Here>
  claims(claims: Claims): Promise<Sponsored>
  admission(record: Uint8Array): Promise<Welcome>
}

export interface PairClientComponents {
  /** Ed25519 secret of the invite, or of the recovery kit: 32 bytes. */
  readonly keySeed: Uint8Array
  readonly clock: Clock
  readonly logger: Logger
}

export interface PairClientInit {
  /** Multiaddrs of members, tried one after the other, again and again. */
  readonly addresses: readonly string[]
  /** Told of each round that led nowhere: why each address did not. */
  readonly onWait?: (why: readonly PairFailure[]) => void
}

export interface PairFailure {
  readonly address: string
  /** A refusal of the member; it cannot be reached with this key; or it answers what cannot be right. */
  readonly why: Refusal | 'UNREACHABLE' | 'WRONG_ANSWER'
}

/** Between two rounds over all addresses. */
const ROUND_MS = 500
const LONGEST_ROUND_MS = 5000
/** For one member: dial and handshake, and each answer. */
const DIAL_MS = 10_000
const ANSWER_MS = 15_000
/** Nobody else will say otherwise. */
const FINAL: ReadonlySet<string> = new Set<Refusal>([
  'INVITE_EXPIRED',
  'INVITE_USED',
  'INVITE_CANCELLED',
  'OTHER_NETWORK',
  'TOO_MANY_DEVICES',
])

/**
 * Talks to one member after the other until `talk` resolves; bounded by the signal alone, and then throws its
 * reason.
 *
 * @throws `PEER_ADDRESS`, `PAIR_REFUSED` when a member says what no other member will contradict; what `talk`
 *   throws that is not about the member
 */
export async function pairWithMember<T>(
  { keySeed, clock, logger }: PairClientComponents,
  { addresses, onWait }: PairClientInit,
  talk: (member: PairMember, signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const targets = addresses.map(parseAddress)
  const decisions = { admit: () => true, isMember: () => false }
  // It listens nowhere and hears no gossip, so the topics' name does not matter.
  const init = { network: 'unknown' as NetworkId, listen: [] }
  const host = await createHost({ keySeed, decisions, logger }, init)
  try {
    await host.start()
    for (let wait = ROUND_MS; ; wait = Math.min(LONGEST_ROUND_MS, wait * 2)) {
      const failures: PairFailure[] = []
      for (const target of targets) {
        try {
          return await talkTo(host, target, talk, { clock, signal })
        } catch (error) {
          signal.throwIfAborted()
          const why = failureOf(error)
          failures.push({ address: target.toString(), why })
          logger.debug('A member did not take this device in.', {
            code: why,
            why: messageOf(error),
          })
        }
      }
      onWait?.(failures)
      await sleep(clock, wait, signal)
    }
  } finally {
    await host.stop()
  }
}

/** What the next member may be asked after; anything else ends the search. */
function failureOf(error: unknown): PairFailure['why'] {
  if (!(error instanceof CairnError)) return 'UNREACHABLE'
  if (error.code === 'PAIR_STREAM') return 'UNREACHABLE'
  if (error.code === 'PAIR_ANSWER') return 'WRONG_ANSWER'
  if (error.code !== 'PAIR_REFUSED') throw error
  const why = String(error.details.why) as Refusal
  if (FINAL.has(why)) throw error
  return why
}

async function talkTo<T>(
  { libp2p }: Host,
  target: ReturnType<typeof parseAddress>,
  talk: (member: PairMember, signal: AbortSignal) => Promise<T>,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<T> {
  const dialling = createDeadline(clock, DIAL_MS, signal)
  const lasting = new AbortController()
  const open = async () => {
    try {
      const connection = await libp2p.dial(target, { signal: dialling.signal })
      const stream = await connection.newStream(PAIR_PROTOCOL, { signal: dialling.signal })
      return { connection, stream }
    } catch (error) {
      throw networkError('PAIR_STREAM', { address: target.toString(), why: codeOf(error) }, error)
    } finally {
      dialling.end()
    }
  }
  const { connection, stream } = await open()
  const both = AbortSignal.any([signal, lasting.signal])
  const frames = createFrames(stream, { clock, maxFrameBytes: MAX_PAIR_FRAME_BYTES, signal: both })
  const device = connection.remotePeer.toString() as DeviceId
  const ask = async <Type extends PairAnswer['type']>(
    question: PairQuestion,
    type: Type,
  ): Promise<Extract<PairAnswer, { type: Type }>> => {
    let answer: PairAnswer
    try {
      await frames.write(encodeQuestion(question), ANSWER_MS)
      const frame = await frames.read(ANSWER_MS)
      if (frame === undefined) throw new Error('it ended the exchange')
      answer = decodeAnswer(frame)
    } catch (error) {
      signal.throwIfAborted()
      throw networkError(
        'PAIR_STREAM',
        { address: target.toString(), why: messageOf(error) },
        error,
      )
    }
    if (answer.type === 'refused') {
      throw networkError('PAIR_REFUSED', { peer: device, why: answer.code })
    }
    if (answer.type !== type) {
      throw networkError('PAIR_ANSWER', { peer: device, why: `${answer.type}, not ${type}` })
    }
    return answer as Extract<PairAnswer, { type: Type }>
  }
  try {
    const member: PairMember = {
      device,
      place: placeOf(connection.remoteAddr),
      hello: (network) => ask({ type: 'hello', network }, 'here'),
      claims: (claims) => ask({ type: 'claims', ...claims }, 'sponsored'),
      admission: (record) => ask({ type: 'admission', record }, 'welcome'),
    }
    const result = await talk(member, both)
    await frames.close()
    return result
  } catch (error) {
    frames.abort()
    throw error
  } finally {
    lasting.abort()
    connection.abort(new Error('done'))
  }
}
