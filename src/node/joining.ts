/**
 * A directory's way into a network: with the code of an invite, or with the recovery kit. Afterwards `createNode`
 * on it goes on by itself.
 *
 * Killed at any moment it can be run again: the keys are kept from the first try, and so is the signed admission
 * from before it is handed in. The file with the network's parameters is written last.
 */
import {
  type Admission,
  admissionMessage,
  invitedMessage,
  RECOVERED_DOMAIN,
} from '../chain/admissions.ts'
import { signRecord } from '../chain/codec.ts'
import type { DeviceId, NetworkId, UserId } from '../chain/ids.ts'
import { decodeParams, type NetworkParams, networkIdOf } from '../chain/params.ts'
import type { SignedRecord, UnsignedRecord } from '../chain/record.ts'
import { type Clock, systemClock } from '../common/clock.ts'
import { publicKeyOf, signEd25519 } from '../common/crypto.ts'
import { CairnError, codeOf } from '../common/errors.ts'
import { decodeInvite } from '../common/invite-code.ts'
import type { Logger } from '../common/logger.ts'
import { recoveryKeys } from '../common/recovery-keys.ts'
import { networkError } from '../network/errors.ts'
import { type PairFailure, type PairMember, pairWithMember } from '../network/pair/client.ts'
import type { Here, Welcome } from '../network/pair/messages.ts'
import { openDataDirectory } from '../storage/data-directory.ts'
import { type Keystore, openKeystore } from '../storage/keystore.ts'
import { DEVICE_KEYS, FIRST_KEYS, identityOf, type Names } from './identity.ts'
import { openNotes, settle } from './joining-directory.ts'

interface JoinBase {
  readonly dataDir: string
  readonly logger: Logger
  readonly clock?: Clock
  /** Told of each round in which no member took this device in, and why. */
  readonly onWait?: (why: readonly PairFailure[]) => void
}

export interface JoinOptions extends JoinBase {
  /** The text of the invite. */
  readonly code: string
  /** `user` is used when the invite is for a new person. */
  readonly names: Names
}

export interface RecoverOptions extends JoinBase {
  /** What the words of the recovery kit say: 32 bytes. */
  readonly entropy: Uint8Array
  /** Multiaddrs of members. */
  readonly addresses: readonly string[]
  readonly deviceName: string
}

export interface Joined {
  readonly network: NetworkId
  readonly user: UserId
  readonly device: DeviceId
  /** Whether it is a further device of a user that was there. */
  readonly ownDevice: boolean
  /** Of the new user; of a further device `backup` or `member`; null after a recovery. */
  readonly role: 'admin' | 'member' | 'backup' | null
}

/**
 * Joins with an invite. Tries until a member answers and knows the invite; bounded by the signal alone.
 *
 * @throws `INVITE_*` for a code that cannot be read, `PAIR_REFUSED` (its `why`: `INVITE_EXPIRED`, `INVITE_USED`,
 *   `INVITE_CANCELLED`, `OTHER_NETWORK`), `JOIN_DIRECTORY`, `JOIN_UNFINISHED`, `PEER_ADDRESS`, storage errors
 */
export function joinNetwork(options: JoinOptions, signal: AbortSignal): Promise<Joined> {
  const invite = decodeInvite(options.code)
  const network = invite.network as NetworkId
  return enter(
    options,
    { secret: invite.secret, addresses: invite.addresses, network },
    async (member, attempt) => {
      const here = checked(member, await member.hello(network), network)
      const about = here.invite
      if (about === null) throw wrong(member, 'it knows no invite')
      const { ownDevice } = about
      if (ownDevice !== (invite.kind === 'device') || ownDevice !== (here.user !== null)) {
        throw wrong(member, 'the invite is for something else')
      }
      if (!ownDevice && about.role !== invite.kind) throw wrong(member, 'the role is another one')
      const { keystore } = attempt
      if (ownDevice) useUserOfOthers(keystore)
      keystore.ensure(ownDevice ? DEVICE_KEYS : FIRST_KEYS)
      const identity = identityOf(keystore)
      const { encryptionKey, device } = identity
      const record = await attempt.record(
        async () => {
          const person = ownDevice ? undefined : await identity.person(options.names, network)
          const { userKey, recoveryKey, restoreKey } = person ?? {}
          const userKeys =
            userKey && recoveryKey && restoreKey ? { userKey, recoveryKey, restoreKey } : undefined
          const admission: Admission = {
            network,
            user: here.user,
            device,
            encryptionKey,
            ...(userKeys === undefined ? {} : { userKeys }),
          }
          const signature = signEd25519(invite.secret, invitedMessage(admission, about.id))
          const { sponsor, time, countersignature } = await member.claims({
            device: publicKeyOf('ed25519', identity.keySeed),
            encryptionKey,
            ...(userKeys === undefined ? {} : { userKeys }),
            signature,
          })
          const proof = {
            type: 'invite' as const,
            invite: about.id,
            signature,
            sponsor,
            time,
            countersignature,
          }
          return person === undefined
            ? addition(here, { name: options.names.device, encryptionKey, proof })
            : { type: 'user.create', user: null, body: { ...person, proof } }
        },
        { here, role: about.role },
      )
      return { here, record, welcome: await member.admission(record.bytes) }
    },
    signal,
  )
}

/**
 * Makes this directory a device of the user whose recovery kit it is. As `joinNetwork` else; which network it is
 * depends on who answers at the addresses.
 */
export function recoverUser(options: RecoverOptions, signal: AbortSignal): Promise<Joined> {
  const { addresses, deviceName } = options
  const secret = recoveryKeys(options.entropy).signing
  return enter(
    options,
    { secret, addresses, network: undefined },
    async (member, attempt) => {
      const here = checked(member, await member.hello(null), undefined)
      if (here.user === null) throw wrong(member, 'it names no user')
      const { user } = here
      const { keystore } = attempt
      useUserOfOthers(keystore)
      keystore.ensure(DEVICE_KEYS)
      keystore.put('recovery', options.entropy)
      const { encryptionKey, device } = identityOf(keystore)
      const record = await attempt.record(
        async () => {
          const network = networkIdOf(here.parameters)
          const message = admissionMessage(
            { network, user, device, encryptionKey },
            RECOVERED_DOMAIN,
          )
          const proof = { type: 'recovery' as const, signature: signEd25519(secret, message) }
          return addition(here, { name: deviceName, encryptionKey, proof })
        },
        { here, role: null },
      )
      return { here, record, welcome: await member.admission(record.bytes) }
    },
    signal,
  )
}

type Known = Here & { readonly parameters: NetworkParams }
type AdmissionParts = Pick<
  Extract<UnsignedRecord, { type: 'user.create' | 'device.add' }>,
  'type' | 'user' | 'body'
>

interface Attempt {
  readonly keystore: Keystore
  /** The admission that a try before has signed for this network, or the one that `make` gives, kept. */
  record(
    make: () => Promise<AdmissionParts>,
    by: { readonly here: Known; readonly role: Joined['role'] },
  ): Promise<SignedRecord>
}

interface Entered {
  readonly here: Known
  readonly record: SignedRecord
  readonly welcome: Welcome
}

async function enter(
  options: JoinBase,
  by: {
    readonly secret: Uint8Array
    readonly addresses: readonly string[]
    readonly network: NetworkId | undefined
  },
  talk: (member: PairMember, attempt: Attempt) => Promise<Entered>,
  signal: AbortSignal,
): Promise<Joined> {
  const { logger, clock = systemClock } = options
  const directory = openDataDirectory(options.dataDir)
  try {
    const notes = openNotes(directory, publicKeyOf('ed25519', by.secret))
    const joined = (record: SignedRecord): Joined => {
      notes.end()
      return {
        network: record.network,
        user: record.user ?? record.id,
        device: record.device,
        ownDevice: record.type === 'device.add',
        role: notes.kept?.role ?? null,
      }
    }
    if (notes.done && notes.kept !== undefined) return joined(notes.kept.record)
    const keystore = openKeystore({
      path: directory.keys,
      randomBytes: clock.randomBytes,
      logger,
    })
    const attempt: Attempt = {
      keystore,
      record: async (make, { here, role }) => {
        const network = networkIdOf(here.parameters)
        if (notes.kept?.record.network === network) return notes.kept.record
        const { device, signer } = identityOf(keystore)
        const unsigned = {
          ...(await make()),
          network,
          device,
          sequence: 0,
          previous: null,
          seen: here.tip,
          time: clock.now(),
        } as UnsignedRecord
        const record = signRecord(unsigned, signer.sign)
        notes.keep({ record, role })
        return record
      },
    }
    const { member, here, record, welcome } = await pairWithMember(
      { keySeed: by.secret, clock, logger },
      { addresses: by.addresses, ...(options.onWait && { onWait: options.onWait }) },
      async (member) => {
        try {
          return { ...(await talk(member, attempt)), member }
        } catch (error) {
          // What was signed before is no good any more: whoever vouched for it may have been shut out.
          if (error instanceof CairnError && error.details.why === 'NOT_VALID') notes.forget()
          throw error
        }
      },
      signal,
    ).catch((error: unknown) => {
      // Nobody will take it any more, so another code may be used here.
      if (codeOf(error) === 'PAIR_REFUSED') notes.forget()
      throw error
    })
    const addresses = [...welcome.addresses, ...by.addresses]
    const { parameters } = here
    await settle(directory, { record, parameters, member, addresses }, { logger, clock })
    logger.info('This device was taken in', { network: record.network, by: member.device })
    return joined(record)
  } finally {
    directory.release()
  }
}

/** Secrets of a new person, made by a try with another invite, are nobody's. */
function useUserOfOthers(keystore: Keystore): void {
  for (const name of keystore.complete()) if (!DEVICE_KEYS.includes(name)) keystore.remove(name)
}

function checked(member: PairMember, here: Here, network: NetworkId | undefined): Known {
  let parameters: NetworkParams
  try {
    parameters = decodeParams(here.params)
  } catch (error) {
    throw networkError('PAIR_ANSWER', { peer: member.device, why: 'its parameters' }, error)
  }
  if (network !== undefined && networkIdOf(parameters) !== network) {
    throw wrong(member, 'it is of another network')
  }
  return { ...here, parameters }
}

function addition(here: Here, body: Extract<AdmissionParts['body'], { name: string }>) {
  return { type: 'device.add', user: here.user, body } as AdmissionParts
}

const wrong = (member: PairMember, why: string): Error =>
  networkError('PAIR_ANSWER', { peer: member.device, why })
