/** What people, devices and key holders state, for the tests of the rules: good unless a test changes it. */
import assert from 'node:assert/strict'
import {
  type Admission,
  admissionMessage,
  admissionOf,
  type InviteProof,
  invitedMessage,
  RECOVERED_DOMAIN,
  RESTORED_DOMAIN,
  sponsoredMessage,
} from '../../../src/chain/admissions.ts'
import type { ContentId, RecordId, UserId } from '../../../src/chain/ids.ts'
import type { RecordBody, SignedRecord, Statement } from '../../../src/chain/record.ts'
import { revocationMessage } from '../../../src/chain/state/devices.ts'
import { utf8 } from '../../../src/common/bytes.ts'
import { sha256, signEd25519 } from '../../../src/common/crypto.ts'
import { cidText, RAW } from '../../../src/common/dag-cbor.ts'
import {
  device,
  deviceAdd,
  keyPair,
  network,
  START,
  type TestDevice,
  type TestLedger,
  userCreate,
} from './network.ts'

export const sealed: Uint8Array = new Uint8Array(80).fill(7)

/** The key that `userCreate` gives a user for all purposes: only domains tell its signatures apart. */
export const kitOf = (word: string): ReturnType<typeof keyPair> => keyPair(`${word} other`)

export function userOf(who: TestDevice): UserId {
  return who.user ?? assert.fail('the device was not admitted')
}

/** The record 0 of a device. */
export type AdmissionRecord = Parameters<typeof admissionOf>[0]
export function asAdmission(record: SignedRecord): AdmissionRecord {
  if (record.type !== 'user.create' && record.type !== 'device.add') assert.fail(record.type)
  return record
}

export const invite = (
  word: string,
  change: Partial<RecordBody<'invite'>> = {},
): Extract<Statement, { type: 'invite' }> => ({
  type: 'invite',
  body: {
    key: keyPair(`invite ${word}`).key,
    role: 'member',
    ownDevice: false,
    expires: START + 1_000,
    ...change,
  },
})

export interface Answer {
  /** Names the one-time key. */
  readonly word: string
  readonly invite: RecordId
  readonly sponsor: TestDevice
  readonly time?: number
}

export function proofOf(admission: Admission, answer: Answer): InviteProof {
  const { invite: id, sponsor, time = START } = answer
  const { seed } = keyPair(`invite ${answer.word}`)
  return {
    type: 'invite',
    invite: id,
    signature: signEd25519(seed, invitedMessage(admission, id)),
    sponsor: sponsor.key,
    time,
    countersignature: signEd25519(sponsor.seed, sponsoredMessage(admission, id, time)),
  }
}

/** The claims that a statement makes when `who` signs it. */
export function claimsOf(who: TestDevice, statement: Statement): Admission {
  return admissionOf(asAdmission(who.say(statement, {})))
}

/** A new user on an invite. */
export function invitedUser(
  who: TestDevice,
  word: string,
  answer: Answer,
  change: Partial<InviteProof> = {},
): Statement {
  const proof = { ...proofOf(claimsOf(who, userCreate(word)), answer), ...change }
  return userCreate(word, proof)
}

/** Another device of `user`, with the proof that `make` gives for its claims. */
export function deviceFor(
  who: TestDevice,
  user: UserId,
  make: (admission: Admission) => RecordBody<'device.add'>['proof'],
): Extract<Statement, { type: 'device.add' }> {
  who.user = user
  const { key: encryptionKey } = keyPair('encryption')
  const proof = make({ network, user, device: who.id, encryptionKey })
  return { type: 'device.add', user, body: { name: 'tablet', encryptionKey, proof } }
}

/** @param kit - the name of the user whose key signs */
export function byKit(
  who: TestDevice,
  user: UserId,
  kit: string,
  type: 'recovery' | 'restore' = 'recovery',
): Statement {
  const domain = type === 'recovery' ? RECOVERED_DOMAIN : RESTORED_DOMAIN
  return deviceFor(who, user, (admission) => ({
    type,
    signature: signEd25519(kitOf(kit).seed, admissionMessage(admission, domain)),
  }))
}

/** A second device, countersigned by `sponsor` and admitted in a block of its own. */
export function addDevice(chain: TestLedger, sponsor: TestDevice, word: string): TestDevice {
  const added = device(word)
  chain.block(added.say(deviceAdd(sponsor, added)))
  return added
}

export interface Target {
  readonly device: TestDevice
  readonly admission: RecordId
}

export function revokeDevice(
  { device: of, admission }: Target,
  through: { sequence: number; record: RecordId },
  kit?: string,
): Extract<Statement, { type: 'device.revoke' }> {
  const body = { device: of.key, admission, through, reason: 'lost' }
  if (kit === undefined) return { type: 'device.revoke', body }
  const recovery = signEd25519(kitOf(kit).seed, revocationMessage(network, body))
  return { type: 'device.revoke', body: { ...body, recovery } }
}

/** Through its newest record. */
export function throughLast(of: TestDevice): { sequence: number; record: RecordId } {
  return { sequence: of.sequence - 1, record: of.previous ?? assert.fail() }
}

export const deviceName = ({ device: of, admission }: Target, name = 'new'): Statement => ({
  type: 'device.name',
  body: { device: of.key, admission, name },
})

export const userKey = (word: string): Statement => ({
  type: 'user.key',
  body: {
    key: keyPair(`user key ${word}`).key,
    seals: [{ to: keyPair('encryption').key, sealed }],
    earlier: [],
  },
})

export const inviteCancel = (id: RecordId): Statement => ({
  type: 'invite.cancel',
  body: { invite: id },
})

export const keyCopy = (...versions: RecordId[]): Statement => {
  const { key } = keyPair('encryption')
  const copies = versions.map((version) => ({
    type: 'metadata' as const,
    version,
    to: key,
    sealed,
  }))
  return {
    type: 'key.copy',
    body: { copies: [{ type: 'user', key, to: key, sealed }, ...copies] },
  }
}

export function privateContent(
  word: string,
): Extract<RecordBody<'file.add'>, { visibility: 'private' }> {
  const digest = sha256(utf8(word))
  return {
    root: cidText(RAW, digest) as ContentId,
    storedSize: 1_000,
    visibility: 'private',
    header: new Uint8Array(40).fill(1),
    metadata: digest,
    userKey: keyPair('encryption').key,
    metadataKey: sealed,
    contentKey: sealed,
  }
}

export const privateAdd = (word: string): Statement => ({
  type: 'file.add',
  body: privateContent(word),
})

export const grant = (
  file: RecordId,
  user: UserId,
  limits: { expires?: number; downloads?: number } = {},
): Statement => ({
  type: 'grant',
  body: { file, user, to: keyPair('encryption').key, metadataKey: sealed, ...limits },
})

export const revoke = (id: RecordId): Statement => ({ type: 'revoke', body: { grant: id } })

export const accessUnder = (version: RecordId, id?: RecordId): Statement => ({
  type: 'access',
  body: { version, ...(id !== undefined && { grant: id }) },
})

/** @param holder - the `holder.add` of the device that releases */
export const release = (id: RecordId, holder?: RecordId): Statement => ({
  type: 'release',
  body: { access: id, ...(holder !== undefined && { holder }) },
})

export const holderAdd = (
  file: RecordId,
  { device: of, admission }: Target,
  ...versions: RecordId[]
): Statement => ({
  type: 'holder.add',
  body: {
    file,
    device: of.key,
    admission,
    keys: versions.map((version) => ({ version, metadataKey: sealed, contentKey: sealed })),
  },
})

/** @param holder - the `holder.add` that is taken back */
export const holderRemove = (file: RecordId, of: TestDevice, holder: RecordId): Statement => ({
  type: 'holder.remove',
  body: { file, device: of.key, holder },
})

export const legacyImport = (version: RecordId): Statement => ({
  type: 'legacy.import',
  body: {
    version,
    parts: [{ kind: 'blockchain', sha256: sha256(utf8('chain')), size: 9, entries: 2 }],
  },
})
