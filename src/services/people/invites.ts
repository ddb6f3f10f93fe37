/** Invites as a person makes and sees them. The code holds the one-time secret; it is kept nowhere. */
import type { DeviceId, NetworkId, RecordId, UserId } from '../../chain/ids.ts'
import type { RecordOf } from '../../chain/record.ts'
import { readInvite } from '../../chain/state/invites.ts'
import { readUser } from '../../chain/state/users.ts'
import type { Clock } from '../../common/clock.ts'
import { publicKeyOf } from '../../common/crypto.ts'
import { encodeInvite, type InviteKind, MAX_INVITE_ADDRESSES } from '../../common/invite-code.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { ChainService } from '../chain/chain-service.ts'
import { serviceError } from '../errors.ts'
import { type DeviceLimit, MAX_DEVICES_OF_USER } from './device-limit.ts'
import type { InviteBook, InviteFault } from './invite-book.ts'
import type { PeopleIndex } from './people-index.ts'

export type InviteState = 'open' | 'used' | 'expired' | 'cancelled' | 'refused'

/** As in codes; and for a further device of one's own that stores and reads nothing. */
export type InviteFor = InviteKind | 'backup-device'

export interface InviteView {
  /** Id of the record. */
  readonly invite: RecordId
  readonly kind: InviteFor
  readonly issuer: UserId
  /** The device that made it. */
  readonly device: DeviceId
  readonly state: InviteState
  /** Milliseconds UTC. */
  readonly created: number
  readonly expires: number
  /** The device that used it. */
  readonly usedBy: DeviceId | null
  /** Not in a block yet. */
  readonly pending: boolean
}

export interface InvitesService {
  /**
   * Makes an invite; whoever has the code can use it once, until it expires.
   *
   * @param options.ms - how long it is good, milliseconds; default seven days, at most 90
   * @throws `INVITE_KIND` for an admin's by somebody who is none, `INVITE_TIME`, `INVITE_NO_ADDRESS`,
   *   `NOT_ADMITTED`, storage errors
   */
  create(
    options: { readonly kind: InviteFor; readonly ms?: number },
    signal?: AbortSignal,
  ): Promise<{ readonly code: string; readonly invite: InviteView }>
  /** All that were ever made in this network, newest first. */
  list(): readonly InviteView[]
  /** @throws `INVITE_NOT_FOUND`, `INVITE_NOT_YOURS`, `INVITE_NOT_OPEN` */
  cancel(invite: string, signal?: AbortSignal): Promise<InviteView>
}

const DAY_MS = 24 * 60 * 60_000
const DEFAULT_MS = 7 * DAY_MS
const MAX_MS = 90 * DAY_MS
const SECRET_BYTES = 32
/** Of use on this very computer only. */
const LOOPBACK = /^\/(ip4\/127\.|ip6\/::1\/)/

export function createInvites(
  components: {
    readonly store: Pick<ChainStore, 'state' | 'record'>
    readonly index: PeopleIndex
    readonly book: InviteBook
    readonly limit: Pick<DeviceLimit, 'hasRoom'>
    readonly chain: Pick<ChainService, 'publish' | 'user'>
    readonly clock: Pick<Clock, 'now' | 'randomBytes'>
    /** Addresses at which members can be reached, this device's first, with `/p2p/`. */
    readonly addresses: () => readonly string[]
  },
  init: { readonly network: NetworkId },
): InvitesService {
  const { store, index, book, limit, chain, clock, addresses } = components

  const view = (record: RecordOf<'invite'>): InviteView => {
    const { role, ownDevice, expires } = record.body
    const [used] = book.usedBy(record)
    return {
      invite: record.identity,
      kind: ownDevice ? (role === 'backup' ? 'backup-device' : 'device') : role,
      issuer: record.user ?? record.id,
      device: record.device,
      state: STATES[book.standing(record) ?? 'open'],
      created: record.time,
      expires,
      usedBy: used ?? null,
      pending: readInvite(store.state, record.identity) === undefined,
    }
  }

  const isAdmin = (): boolean =>
    chain.user !== undefined && readUser(store.state, chain.user)?.role === 'admin'

  return {
    create: async ({ kind, ms = DEFAULT_MS }, signal) => {
      if (kind === 'admin' && !isAdmin()) throw serviceError('INVITE_KIND')
      if (!Number.isSafeInteger(ms) || ms <= 0 || ms > MAX_MS) {
        throw serviceError('INVITE_TIME', { days: MAX_MS / DAY_MS })
      }
      const ownDevice = kind === 'device' || kind === 'backup-device'
      if (ownDevice && chain.user !== undefined && !limit.hasRoom(chain.user)) {
        throw serviceError('INVITE_DEVICES', { limit: MAX_DEVICES_OF_USER })
      }
      const known = [...addresses()]
        .sort((a, b) => Number(LOOPBACK.test(a)) - Number(LOOPBACK.test(b)))
        .slice(0, MAX_INVITE_ADDRESSES)
      if (known.length === 0) throw serviceError('INVITE_NO_ADDRESS')
      const secret = clock.randomBytes(SECRET_BYTES)
      const expires = clock.now() + ms
      // Before the record: an invite whose code cannot be written down helps nobody.
      const code = encodeInvite({
        kind: ownDevice ? 'device' : kind,
        network: init.network,
        addresses: known,
        secret,
        expires,
      })
      const record = await chain.publish(
        {
          type: 'invite',
          body: {
            key: publicKeyOf('ed25519', secret),
            role: kind === 'backup-device' ? 'backup' : kind === 'device' ? 'member' : kind,
            ownDevice,
            expires,
          },
        },
        signal,
      )
      return { code, invite: view(record as RecordOf<'invite'>) }
    },
    list: () =>
      index
        .invites()
        .map(view)
        .sort((a, b) => b.created - a.created),
    cancel: async (id, signal) => {
      const record = index.invite(id as RecordId)
      if (record === undefined) throw serviceError('INVITE_NOT_FOUND', { invite: id })
      if (record.user !== chain.user && !isAdmin()) throw serviceError('INVITE_NOT_YOURS')
      const { state } = view(record)
      if (state !== 'open') throw serviceError('INVITE_NOT_OPEN', { state })
      await chain.publish({ type: 'invite.cancel', body: { invite: record.identity } }, signal)
      return view(record)
    },
  }
}

const STATES: Readonly<Record<InviteFault | 'open', InviteState>> = {
  open: 'open',
  INVITE_USED: 'used',
  INVITE_EXPIRED: 'expired',
  INVITE_CANCELLED: 'cancelled',
  INVITE_UNKNOWN: 'refused',
}
