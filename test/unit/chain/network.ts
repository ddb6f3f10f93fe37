/** A small network in memory for the tests of the rules: devices that sign, and a state that blocks change. */
import { admissionMessage } from '../../../src/chain/admissions.ts'
import { genesisOf, signRecord } from '../../../src/chain/codec.ts'
import {
  type ContentId,
  type DeviceId,
  deviceIdOf,
  type RecordId,
  type UserId,
} from '../../../src/chain/ids.ts'
import { type BlockContext, type BlockEffect, evaluateBlock } from '../../../src/chain/outcome.ts'
import { type NetworkParams, networkIdOf } from '../../../src/chain/params.ts'
import type {
  RecordBody,
  Replaces,
  SignedRecord,
  Statement,
  UnsignedRecord,
} from '../../../src/chain/record.ts'
import { applyChanges, createMapView, type StateView } from '../../../src/chain/view.ts'
import { utf8 } from '../../../src/common/bytes.ts'
import { publicKeyOf, sha256, signEd25519 } from '../../../src/common/crypto.ts'
import { cidText, RAW } from '../../../src/common/dag-cbor.ts'

export const START = 1_700_000_000_000

/** Key pairs from a word, so that every run signs the same bytes. */
export function keyPair(word: string): { seed: Uint8Array; key: Uint8Array } {
  const seed = sha256(utf8(`test key ${word}`))
  return { seed, key: publicKeyOf('ed25519', seed) }
}

const founder = keyPair('founder')

export const params: NetworkParams = {
  version: 1,
  founder: founder.key,
  salt: sha256(utf8('salt')).slice(0, 16),
  time: START,
  difficultyFloor: 65_536,
  admission: 'open',
}
export const network = networkIdOf(params)
export const genesis = genesisOf(params)

export interface TestDevice {
  readonly id: DeviceId
  readonly key: Uint8Array
  readonly seed: Uint8Array
  user: UserId | undefined
  sequence: number
  previous: RecordId | null
  time: number
  say(statement: Statement, change?: Partial<UnsignedRecord>): SignedRecord
}

/** A device that signs one hash chain of records. `change` overrides fields without moving the chain on. */
export function device(word: string): TestDevice {
  const { seed, key } = keyPair(word)
  const self: TestDevice = {
    id: deviceIdOf(key),
    key,
    seed,
    user: undefined,
    sequence: 0,
    previous: null,
    time: START,
    say: (statement, change) => {
      self.time += 1
      const unsigned = {
        network,
        ...statement,
        user: statement.type === 'user.create' ? null : (self.user ?? null),
        device: self.id,
        sequence: self.sequence,
        previous: self.previous,
        seen: genesis.id,
        time: self.time,
        ...change,
      } as UnsignedRecord
      const record = signRecord(unsigned, (message) => signEd25519(seed, message))
      if (change === undefined || 'replaces' in change) {
        self.sequence += 1
        self.previous = record.id
        self.user ??= record.user ?? record.id
      }
      return record
    },
  }
  return self
}

export function userCreate(
  word: string,
  proof: RecordBody<'user.create'>['proof'] = { type: 'open' },
): Statement {
  const { key } = keyPair(`${word} other`)
  return {
    type: 'user.create',
    body: {
      name: word,
      deviceName: `${word}'s laptop`,
      encryptionKey: key,
      userKey: key,
      recoveryKey: key,
      restoreKey: key,
      proof,
    },
  }
}

/** The admission of `added`, countersigned by `sponsor`. */
export function deviceAdd(sponsor: TestDevice, added: TestDevice, forUser?: UserId): Statement {
  const { key: encryptionKey } = keyPair('encryption')
  const user = forUser ?? sponsor.user
  if (user === undefined) throw new Error('the sponsor has no user yet')
  added.user = user
  const message = admissionMessage({ network, user, device: added.id, encryptionKey })
  const signature = signEd25519(sponsor.seed, message)
  const proof = { type: 'device', device: sponsor.key, signature } as const
  return { type: 'device.add', user, body: { name: 'phone', encryptionKey, proof } }
}

export function content(name: string): RecordBody<'file.add'> {
  const digest = sha256(utf8(name))
  return {
    root: cidText(RAW, digest) as ContentId,
    storedSize: 1_000,
    visibility: 'public',
    name,
    folder: ['Documents'],
    mediaType: 'text/plain',
    size: 990,
    sha256: digest,
  }
}

export const fileAdd = (name: string): Statement => ({ type: 'file.add', body: content(name) })

export const fileUpdate = (
  file: RecordId,
  parents: readonly RecordId[],
  name = 'new',
): Statement => ({
  type: 'file.update',
  body: { ...content(name), file, parents },
})

export const fileRemove = (file: RecordId, parents: readonly RecordId[]): Statement => ({
  type: 'file.remove',
  body: { file, parents },
})

export const vote = (
  version: RecordId,
  verdict: 'authentic' | 'suspicious' = 'authentic',
): Statement => ({ type: 'vote', body: { version, verdict, comment: '' } })

export const access = (version: RecordId): Statement => ({ type: 'access', body: { version } })

export const upgrade = (ruleVersion: number, activationHeight: number): Statement => ({
  type: 'upgrade',
  body: { ruleVersion, activationHeight },
})

export function envelopeOf(record: SignedRecord, from: TestDevice): Replaces {
  const { sequence, previous, seen, time, signature } = record
  return { device: from.key, sequence, previous, seen, time, signature }
}

export interface TestLedger {
  readonly state: Map<string, Uint8Array>
  readonly view: StateView
  height: number
  /** Evaluates a block on top and applies it. The first device of the network is the miner. */
  block(...records: readonly SignedRecord[]): BlockEffect
  /** The outcome of one record in a block of its own: `applied`, `waiting` or a reason code. */
  outcome(record: SignedRecord): string
}

/** The state of a chain, sealed by `miner`. @param rules - parameters other than the network's */
export function ledger(miner: TestDevice, rules = params): TestLedger {
  const state = new Map<string, Uint8Array>()
  const view = createMapView(state)
  const self: TestLedger = {
    state,
    view,
    height: 0,
    block: (...records) => {
      const context = { ...contextAt(self.height + 1, miner.id), params: rules }
      const effect = evaluateBlock(view, context, records)
      applyChanges(state, effect.changes)
      self.height += 1
      return effect
    },
    outcome: (record) => {
      const result = self.block(record).outcomes[0]
      return result?.code ?? result?.outcome ?? 'none'
    },
  }
  return self
}

export function contextAt(height: number, miner: DeviceId): BlockContext {
  return { params, network, height, time: START + height, miner }
}

/** The founder, admitted in block 1. */
export function founded(rules = params): {
  admin: TestDevice
  chain: TestLedger
  admission: SignedRecord
} {
  const admin = device('founder')
  const admission = admin.say(userCreate('founder', { type: 'founder' }))
  const chain = ledger(admin, rules)
  chain.block(admission)
  return { admin, chain, admission }
}

/** A new member with one device, admitted in a block of its own. */
export function join(chain: TestLedger, word: string): TestDevice {
  const member = device(word)
  chain.block(member.say(userCreate(word)))
  return member
}
