/** The recovery kit: 24 words that bring a person back who lost every device. Shown, and tested, on request. */
import type { UserId } from '../../chain/ids.ts'
import type { SignedRecord } from '../../chain/record.ts'
import { equalBytes, utf8 } from '../../common/bytes.ts'
import { publicKeyOf } from '../../common/crypto.ts'
import type { Events } from '../../common/events.ts'
import { recoveryKeys } from '../../common/recovery-keys.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { NodeEvents } from '../events.ts'
import { peopleError } from './errors.ts'

export interface RecoveryKit {
  /** The 24 words. @throws RECOVERY_NOT_HERE */
  show(): Promise<readonly string[]>
  /**
   * Whether these are the words of this user's kit; remembers that somebody has them.
   *
   * @throws WORDS_COUNT, WORDS_UNKNOWN, WORDS_CHECKSUM, RECOVERY_OTHER
   */
  test(words: string): Promise<void>
  /** Whether the kit is on this device. */
  readonly here: boolean
  /** Whether somebody has the words: `test` succeeded once on this device, or a device came back with them. */
  readonly tested: boolean
}

/** Where the database remembers that the words were typed once. */
const TESTED = 'recovery/tested'

/** Loaded when somebody asks: two thousand words that no node needs otherwise. */
const wordList = (): Promise<typeof import('../../common/mnemonic.ts')> =>
  import('../../common/mnemonic.ts')

export function createRecoveryKit(components: {
  readonly store: Pick<ChainStore, 'projections' | 'meta' | 'setMeta'>
  /** The kit's 32 bytes; undefined: the user was made on another device. */
  readonly secret: () => Uint8Array | undefined
  readonly user: () => UserId | undefined
  readonly events: Events<NodeEvents>
}): RecoveryKit {
  const { store, secret, user, events } = components
  /** What the user said of people and keys, the own `user.create` included. */
  const own = (): SignedRecord[] => {
    const self = user()
    if (self === undefined) return []
    return store.projections.peopleRecordsOf(self).map(({ record }) => record)
  }
  const publicKey = (): Uint8Array | undefined => {
    for (const record of own()) {
      if (record.type === 'user.create') return record.body.recoveryKey
    }
    return undefined
  }
  /** Kept until a device comes: each status asks. */
  let back: boolean | undefined
  events.on('record:pending', ({ record }) => {
    if (record.type === 'device.add' && record.user === user()) back = undefined
  })
  events.on('record:confirmed', ({ type }) => {
    if (type === 'device.add' && back === false) back = undefined
  })
  const cameBack = (): boolean => {
    if (user() === undefined) return false
    back ??= own().some(
      (record) => record.type === 'device.add' && record.body.proof.type === 'recovery',
    )
    return back
  }
  return {
    show: async () => {
      const kit = secret()
      if (kit === undefined) throw peopleError('RECOVERY_NOT_HERE')
      const { wordsFromSecret } = await wordList()
      return wordsFromSecret(kit)
    },
    test: async (words) => {
      const { secretFromWords } = await wordList()
      const { signing } = recoveryKeys(secretFromWords(words))
      const wanted = publicKey()
      if (wanted === undefined || !equalBytes(wanted, publicKeyOf('ed25519', signing))) {
        throw peopleError('RECOVERY_OTHER')
      }
      store.setMeta(TESTED, utf8('yes'))
    },
    get here() {
      return secret() !== undefined
    },
    get tested() {
      return store.meta(TESTED) !== undefined || cameBack()
    },
  }
}
