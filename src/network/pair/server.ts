/**
 * The side of pairing that answers: `/cairn/pair/1.0.0` on a member.
 *
 * owns: the stream, its bounds and time limits, what one key may ask
 * does not own: who is taken in (PairDecisions)
 */
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import type { DeviceId, NetworkId } from '../../chain/ids.ts'
import type { Clock } from '../../common/clock.ts'
import { CairnError, messageOf } from '../../common/errors.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/logger.ts'
import { createDeadline } from '../deadline.ts'
import { createFrames } from '../frames.ts'
import { createTokenBuckets } from '../token-bucket.ts'
import {
  type Claims,
  decodeQuestion,
  encodeAnswer,
  type Here,
  MAX_PAIR_FRAME_BYTES,
  PAIR_PROTOCOL,
  type PairAnswer,
  type Refusal,
  type Sponsored,
  type Welcome,
} from './messages.ts'

/** Who is taken in. A text is a refusal. */
export interface PairDecisions {
  /** @param key - what the asking side is connected with */
  greet(key: DeviceId, network: NetworkId | null): Here | Refusal
  /**
   * Vouches for a device.
   *
   * @param session - one stream: while it is open, nobody else gets the same invite
   */
  sponsor(key: DeviceId, claims: Claims, session: object): Sponsored | Refusal
  /** Stores the record; it is on the disk when this resolves. */
  welcome(key: DeviceId, record: Uint8Array, session: object): Promise<Welcome | Refusal>
  /** The stream is over. */
  end(session: object): void
}

/** Streams per connection: a joiner uses one. */
const MAX_STREAMS = 2
/** Joiners that are talked to at a time. */
const MAX_SESSIONS = 16
/** Questions of one stream: three, and some that are tried again. */
const MAX_QUESTIONS = 8
/** Milliseconds of one stream, and between two questions: nobody is asked anything meanwhile. */
const SESSION_MS = 60_000
const QUESTION_MS = 15_000
/** Streams of one key: ten at once, then one every two seconds. A joiner that waits asks every few seconds. */
const BUCKET = { capacity: 10, perSecond: 0.5, peers: 1024 }

export function createPairServer(components: {
  readonly libp2p: Libp2p
  readonly decisions: PairDecisions
  readonly clock: Clock
  readonly logger: Logger
  /** Whether this key may pair. */
  readonly mayPair: (key: DeviceId) => boolean
  /** It sent what it must have known to be wrong. */
  readonly onOffence?: (key: DeviceId, code: string) => void
}): Startable {
  const { libp2p, decisions, clock, mayPair, onOffence } = components
  const logger = components.logger.child('pair')
  const buckets = createTokenBuckets({ clock }, BUCKET)
  const sessions = new Set<Promise<void>>()
  let ending = new AbortController()

  const answer = async (key: DeviceId, bytes: Uint8Array, session: object): Promise<PairAnswer> => {
    const question = decodeQuestion(bytes)
    switch (question.type) {
      case 'hello':
        return typed('here', decisions.greet(key, question.network))
      case 'claims':
        return typed('sponsored', decisions.sponsor(key, question, session))
      case 'admission':
        return typed('welcome', await decisions.welcome(key, question.record, session))
    }
  }

  const serve = async (stream: Stream, key: DeviceId): Promise<void> => {
    const { signal, end } = createDeadline(clock, SESSION_MS, ending.signal)
    const limits = { clock, maxFrameBytes: MAX_PAIR_FRAME_BYTES, signal }
    const frames = createFrames(stream, limits)
    const session = {}
    try {
      for (let asked = 0; asked < MAX_QUESTIONS; asked += 1) {
        const question = await frames.read(QUESTION_MS)
        if (question === undefined) break
        const given = await answer(key, question, session)
        if (given.type === 'refused') logger.info('A device was not taken in.', { why: given.code })
        await frames.write(encodeAnswer(given), QUESTION_MS)
      }
      await frames.close()
    } catch (error) {
      frames.abort()
      logger.debug('Pairing broke off.', { why: messageOf(error) })
      if (error instanceof CairnError && error.verdict === 'reject') onOffence?.(key, error.code)
    } finally {
      decisions.end(session)
      end()
    }
  }

  return {
    start: async () => {
      ending = new AbortController()
      const take = (stream: Stream, connection: Connection): void => {
        const key = connection.remotePeer.toString() as DeviceId
        if (!mayPair(key) || sessions.size >= MAX_SESSIONS || !buckets.take(key)) {
          stream.abort(new Error('not now'))
          return
        }
        const session = serve(stream, key).finally(() => sessions.delete(session))
        sessions.add(session)
      }
      const limits = { maxInboundStreams: MAX_STREAMS, maxOutboundStreams: MAX_STREAMS }
      await libp2p.handle(PAIR_PROTOCOL, take, limits)
    },
    stop: async () => {
      ending.abort(new Error('the node is stopping'))
      await libp2p.unhandle(PAIR_PROTOCOL)
      await Promise.all(sessions)
    },
  }
}

type Answer<T extends PairAnswer['type']> = Omit<Extract<PairAnswer, { type: T }>, 'type'>

function typed<T extends 'here' | 'sponsored' | 'welcome'>(
  type: T,
  given: Answer<T> | Refusal,
): PairAnswer {
  if (typeof given === 'string') return { type: 'refused', code: given }
  return { type, ...given } as unknown as PairAnswer
}
