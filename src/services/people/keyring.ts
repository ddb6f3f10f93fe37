/**
 * The secrets of this device's user, as far as they are here: those that the keystore holds, and those that
 * stand sealed to this device, to the recovery kit or to another key of the user in records of the chain.
 *
 * A sealed secret is believed only when its public half is the one that it says, whoever sealed it.
 */
import type { NetworkId, UserId } from '../../chain/ids.ts'
import type { SignedRecord } from '../../chain/record.ts'
import { readUserKeys } from '../../chain/state/users.ts'
import { equalBytes, toHex } from '../../common/bytes.ts'
import { publicKeyOf } from '../../common/crypto.ts'
import type { Events } from '../../common/events.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import { openKey, sealPurposes } from '../access/seals.ts'
import type { NodeEvents } from '../events.ts'

export interface KeyringComponents {
  readonly store: Pick<ChainStore, 'projections' | 'state' | 'record'>
  readonly events: Events<NodeEvents>
  /** X25519 secrets of this device: its own; the user's first, if it was made here; the recovery kit's, if it is here. */
  readonly secrets: {
    readonly device: Uint8Array
    readonly user: Uint8Array | undefined
    readonly recovery: Uint8Array | undefined
  }
  /** The user of this device, once it is known. */
  readonly user: () => UserId | undefined
}

export interface KeyPair {
  readonly publicKey: Uint8Array
  readonly secret: Uint8Array
}

export interface Keyring {
  /** X25519, of this device. */
  readonly device: KeyPair
  /** What new secrets of the user are sealed to; undefined before the user is on the chain or pending here. */
  current(): Uint8Array | undefined
  /** The secret of one of the user's keys; undefined: it is not on this device, or not yet. */
  secretOf(publicKey: Uint8Array): Promise<Uint8Array | undefined>
  /** Every secret of the user's keys that is here. */
  all(): Promise<readonly KeyPair[]>
}

/** Types of records that may carry a secret of the user. */
const CARRIERS: ReadonlySet<string> = new Set(['user.create', 'user.key', 'key.copy'])

export function createKeyring(
  components: KeyringComponents,
  init: { readonly network: NetworkId },
): Keyring {
  const { store, events, secrets, user } = components
  const purposes = sealPurposes(init.network)
  const device: KeyPair = {
    secret: secrets.device,
    publicKey: publicKeyOf('x25519', secrets.device),
  }
  const found = new Map<string, KeyPair>()
  const add = (secret: Uint8Array): KeyPair => {
    const pair = { secret, publicKey: publicKeyOf('x25519', secret) }
    found.set(toHex(pair.publicKey), pair)
    return pair
  }
  if (secrets.user !== undefined) add(secrets.user)
  /** What secrets may be sealed to here. */
  const openers: KeyPair[] = [device]
  if (secrets.recovery !== undefined) {
    const secret = secrets.recovery
    openers.push({ secret, publicKey: publicKeyOf('x25519', secret) })
  }

  let stale = true
  const look = (record: SignedRecord | undefined): void => {
    if (record === undefined || !CARRIERS.has(record.type)) return
    const self = user()
    // Others' secrets are none of this device's, and there may be many others.
    if (self === undefined || (record.user ?? record.identity) === self) stale = true
  }
  events.on('record:pending', ({ record }) => look(record))
  events.on('record:confirmed', ({ record, type }) => {
    if (CARRIERS.has(type)) look(store.record(record)?.record)
  })

  /** Each sealed copy of a secret of this user: whose public half it should have, and what it is sealed to. */
  const sealedCopies = function* (self: UserId) {
    for (const { record } of store.projections.peopleRecordsOf(self)) {
      if (record.type === 'user.create' && record.body.recovery !== undefined) {
        yield { key: record.body.userKey, ...record.body.recovery }
      }
      if (record.type === 'user.key') {
        for (const seal of record.body.seals) yield { key: record.body.key, ...seal }
        for (const { key, sealed } of record.body.earlier) {
          yield { key, to: record.body.key, sealed }
        }
      }
      if (record.type === 'key.copy') {
        for (const copy of record.body.copies) if (copy.type === 'user') yield copy
      }
    }
  }

  let refreshing: Promise<void> | undefined
  const refresh = async (): Promise<void> => {
    const self = user()
    if (!stale || self === undefined) return
    stale = false
    const copies = [...sealedCopies(self)]
    // A secret that was opened may open others: until nothing more does.
    for (let more = true; more; ) {
      more = false
      for (const { key, to, sealed } of copies) {
        if (found.has(toHex(key))) continue
        const opener =
          openers.find(({ publicKey }) => equalBytes(publicKey, to)) ?? found.get(toHex(to))
        if (opener === undefined) continue
        const secret = await openKey(opener.secret, sealed, purposes.userKey(key))
        if (secret === undefined || !equalBytes(publicKeyOf('x25519', secret), key)) continue
        add(secret)
        more = true
      }
    }
  }
  const settled = async (): Promise<void> => {
    refreshing ??= refresh().finally(() => {
      refreshing = undefined
    })
    await refreshing
  }

  return {
    device,
    current: () => {
      const self = user()
      if (self === undefined) return undefined
      const confirmed = readUserKeys(store.state, self).at(-1)
      if (confirmed !== undefined) return confirmed
      return secrets.user === undefined ? undefined : publicKeyOf('x25519', secrets.user)
    },
    secretOf: async (publicKey) => {
      const name = toHex(publicKey)
      if (!found.has(name)) await settled()
      return found.get(name)?.secret
    },
    all: async () => {
      await settled()
      return [...found.values()]
    },
  }
}
