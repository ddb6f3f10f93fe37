/**
 * Passes the secrets of the user's keys on: to devices of the same user that lack one, to the recovery kit, and,
 * after a device was revoked, as a new key that it does not have.
 *
 * Each device of the user does this; they wait for each other by rank, so that mostly one does. Two keys made at
 * once, or a secret sealed twice, do no harm.
 */
import { type DeviceId, deviceIdOf, type NetworkId, type UserId } from '../../chain/ids.ts'
import type { RecordBody, SignedRecord, Statement } from '../../chain/record.ts'
import { MAX_SEALS } from '../../chain/record-bodies.ts'
import { type DeviceState, isBackup, listDevices } from '../../chain/state/devices.ts'
import { toHex } from '../../common/bytes.ts'
import type { Clock } from '../../common/clock.ts'
import { KEY_BYTES, publicKeyOf } from '../../common/crypto.ts'
import { codeOf } from '../../common/errors.ts'
import type { Events } from '../../common/events.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/logger.ts'
import type { ChainStore, StoredRecord } from '../../storage/chain-store.ts'
import { sealKey, sealPurposes } from '../access/seals.ts'
import type { NodeEvents } from '../events.ts'
import type { KeyPair, Keyring } from './keyring.ts'

/** Milliseconds in which events are gathered. */
const GATHER_MS = 100
/** Milliseconds that a device leaves each one before it: longer than a block takes. */
const RANK_MS = 5_000
/** Earlier secrets that a new key opens; each of them opens earlier ones again. */
const MAX_EARLIER = 16

export interface KeySharingComponents {
  readonly store: Pick<ChainStore, 'state' | 'projections' | 'record'>
  readonly records: { publish(statement: Statement): Promise<SignedRecord> }
  readonly keyring: Keyring
  readonly self: { readonly device: DeviceId; user(): UserId | undefined }
  readonly events: Events<NodeEvents>
  readonly clock: Clock
  readonly logger: Logger
}

export interface KeySharing extends Startable {
  /** Does now what this device would do first among all. */
  settle(): Promise<void>
}

type Seal = RecordBody<'user.key'>['seals'][number]
type Copy = Extract<RecordBody<'key.copy'>['copies'][number], { type: 'user' }>

const WATCHED: ReadonlySet<string> = new Set([
  'user.create',
  'device.add',
  'device.revoke',
  'user.key',
  'key.copy',
])

export function createKeySharing(
  components: KeySharingComponents,
  init: { readonly network: NetworkId },
): KeySharing {
  const { store, records, keyring, self, events, clock } = components
  const logger = components.logger.child('key-sharing')
  const purposes = sealPurposes(init.network)
  let stopped = true
  let running: Promise<void> | undefined
  let again = false
  let cancel: (() => void) | undefined
  const offs: (() => void)[] = []

  interface OwnDevice {
    readonly id: DeviceId
    readonly device: DeviceState
  }
  /** The user's devices that may hold its secrets, this one too, in the order in which they act. */
  const holdersOf = (user: UserId): OwnDevice[] => {
    const revoked = revokedOf(user)
    return listDevices(store.state)
      .filter(({ device }) => device.user === user && device.active)
      .filter(({ id, device }) => !revoked.has(id) && !isBackup(store.state, id, device))
      .sort((a, b) => (a.id < b.id ? -1 : 1))
  }
  /** Revocations by this user: in chain order, pending last; those that were refused left out. */
  const revocationsOf = (user: UserId): StoredRecord[] =>
    store.projections
      .peopleRecordsOf(user)
      .filter(({ record, outcome }) => record.type === 'device.revoke' && outcome !== 'rejected')

  const revokedOf = (user: UserId): Set<DeviceId> =>
    new Set(
      revocationsOf(user).flatMap(({ record }) =>
        record.type === 'device.revoke' ? deviceIdOf(record.body.device) : [],
      ),
    )

  /** What is sealed already: `<public key> <to>`. */
  const sealedOf = (user: UserId): Set<string> => {
    const sealed = new Set<string>()
    const note = (key: Uint8Array, to: Uint8Array): void => void sealed.add(nameOf(key, to))
    // Also what the rules refused: it is opened all the same.
    for (const { record } of store.projections.peopleRecordsOf(user)) {
      if (record.type === 'user.create') {
        // Whoever made the user made the first key.
        note(record.body.userKey, record.body.encryptionKey)
        if (record.body.recovery !== undefined) note(record.body.userKey, record.body.recovery.to)
      }
      if (record.type === 'user.key') {
        for (const { to } of record.body.seals) note(record.body.key, to)
      }
      if (record.type === 'key.copy') {
        for (const copy of record.body.copies) if (copy.type === 'user') note(copy.key, copy.to)
      }
    }
    return sealed
  }

  /** The recovery kit's X25519 public key. */
  const kitOf = (user: UserId): Uint8Array | undefined => {
    for (const { record } of store.projections.peopleRecordsOf(user)) {
      if (record.type === 'user.create' && record.identity === user) return record.body.recovery?.to
    }
    return undefined
  }

  const sealAll = (pair: KeyPair, recipients: readonly Uint8Array[]): Promise<Seal[]> =>
    Promise.all(
      recipients.map(async (to) => ({
        to,
        sealed: await sealKey(to, pair.secret, purposes.userKey(pair.publicKey)),
      })),
    )

  /** Whether a device was revoked after the newest key was made. What a revoked one made is no new key. */
  const isStale = (user: UserId): boolean => {
    const own = store.projections.peopleRecordsOf(user)
    const out = revokedOf(user)
    const revoked = own.findLastIndex(
      ({ record, outcome }) => record.type === 'device.revoke' && outcome !== 'rejected',
    )
    return (
      revoked >
      own.findLastIndex(({ record }) => record.type === 'user.key' && !out.has(record.device))
    )
  }

  const rotate = async (user: UserId, holders: readonly OwnDevice[]): Promise<void> => {
    const secret = clock.randomBytes(KEY_BYTES)
    const pair = { secret, publicKey: publicKeyOf('x25519', secret) }
    const kit = kitOf(user)
    const recipients = [
      ...holders.map(({ device }) => device.encryptionKey),
      ...(kit === undefined ? [] : [kit]),
    ].slice(0, MAX_SEALS)
    const known = (await keyring.all()).slice(-MAX_EARLIER)
    const earlier = await Promise.all(
      known.map(async ({ publicKey, secret: old }) => ({
        key: publicKey,
        sealed: await sealKey(pair.publicKey, old, purposes.userKey(publicKey)),
      })),
    )
    const seals = await sealAll(pair, recipients)
    await records.publish({ type: 'user.key', body: { key: pair.publicKey, seals, earlier } })
    logger.info('The user has a new key, which the revoked device does not have')
  }

  const missingCopies = async (user: UserId, holders: readonly OwnDevice[]): Promise<Copy[]> => {
    const sealed = sealedOf(user)
    const kit = kitOf(user)
    const recipients = [
      ...holders.filter(({ id }) => id !== self.device).map(({ device }) => device.encryptionKey),
      ...(kit === undefined ? [] : [kit]),
    ]
    const copies: Copy[] = []
    for (const pair of await keyring.all()) {
      const lacking = recipients.filter((to) => !sealed.has(nameOf(pair.publicKey, to)))
      for (const { to, sealed: secret } of await sealAll(pair, lacking)) {
        copies.push({ type: 'user', key: pair.publicKey, to, sealed: secret })
      }
    }
    return copies
  }

  /** @param ahead - devices that were left time to act */
  const run = async (ahead: number): Promise<number | undefined> => {
    const user = self.user()
    if (user === undefined) return undefined
    const holders = holdersOf(user)
    const rank = holders.findIndex(({ id }) => id === self.device)
    if (rank < 0) return undefined
    const mine = revocationsOf(user).at(-1)?.record.device === self.device
    const stale = isStale(user)
    if (stale && (mine || rank <= ahead)) await rotate(user, holders)
    const copies = await missingCopies(user, holders)
    if (rank <= ahead) {
      for (let at = 0; at < copies.length; at += MAX_SEALS) {
        const body = { copies: copies.slice(at, at + MAX_SEALS) }
        await records.publish({ type: 'key.copy', body })
      }
      return undefined
    }
    return copies.length > 0 || (stale && !mine) ? rank - ahead : undefined
  }

  const work = (ahead: number): Promise<void> => {
    cancel?.()
    cancel = undefined
    running ??= (async () => {
      const wait = await run(ahead)
      if (wait !== undefined) later(wait * RANK_MS, ahead + wait)
    })()
      .catch((error: unknown) => {
        if (!stopped) logger.warn('Keys could not be passed on', { code: codeOf(error) })
      })
      .finally(() => {
        running = undefined
        if (again) {
          again = false
          later(GATHER_MS, 0)
        }
      })
    return running
  }
  const later = (ms: number, ahead: number): void => {
    if (stopped) return
    cancel?.()
    cancel = clock.after(ms, () => void work(ahead))
  }
  const look = (record: SignedRecord): void => {
    const user = self.user()
    // What others say of their devices and keys changes nothing here.
    if (!WATCHED.has(record.type) || (user !== undefined && userOf(record) !== user)) return
    if (running === undefined) later(GATHER_MS, 0)
    else again = true
  }

  return {
    start: async () => {
      stopped = false
      offs.push(
        events.on('record:pending', ({ record }) => look(record)),
        events.on('record:confirmed', ({ record, type }) => {
          const stored = WATCHED.has(type) ? store.record(record) : undefined
          if (stored !== undefined) look(stored.record)
        }),
      )
      later(GATHER_MS, 0)
    },
    stop: async () => {
      stopped = true
      cancel?.()
      cancel = undefined
      for (const off of offs.splice(0)) off()
      await running
    },
    settle: async () => {
      await running
      await work(0)
    },
  }
}

function userOf(record: SignedRecord): UserId {
  return record.user ?? record.identity
}

function nameOf(key: Uint8Array, to: Uint8Array): string {
  return `${toHex(key)} ${toHex(to)}`
}
