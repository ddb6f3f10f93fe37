/**
 * This device's own records: one hash chain, durable before it is acknowledged, signed again where stranded.
 *
 * owns: the next sequence, the journal beside the database, re-signing
 * does not own: what a statement means (its service asked for it), the queue (the caller runs one at a time)
 */

import { decodeRecord, signRecord } from '../../chain/codec.ts'
import {
  type DeviceId,
  deviceKeyOf,
  type NetworkId,
  type RecordId,
  type UserId,
} from '../../chain/ids.ts'
import { inclusionOf } from '../../chain/mempool.ts'
import type { Replaces, SignedRecord, Statement, UnsignedRecord } from '../../chain/record.ts'
import { isBackup, readDevice } from '../../chain/state/devices.ts'
import { readRecordState } from '../../chain/state/records.ts'
import type { Clock } from '../../common/clock.ts'
import { assert } from '../../common/errors.ts'
import type { Events } from '../../common/events.ts'
import type { Logger } from '../../common/logger.ts'
import type { ChainStore, StoredRecord } from '../../storage/chain-store.ts'
import type { Journal } from '../../storage/journal.ts'
import { serviceError } from '../errors.ts'
import type { NodeEvents } from '../events.ts'
import { isOut } from '../people/revoked.ts'

/** Who signs. */
export interface Signer {
  readonly device: DeviceId
  /** Ed25519 signature (64 bytes) by the device's key. */
  sign(message: Uint8Array): Uint8Array
}

export interface OwnRecordsComponents {
  readonly store: ChainStore
  readonly journal: Journal
  readonly signer: Signer
  readonly clock: Clock
  readonly events: Events<NodeEvents>
  readonly logger: Logger
}

export interface OwnRecords {
  /** The user that this device belongs to; undefined before its admission was signed. */
  readonly user: UserId | undefined
  /**
   * Signs and stores a statement. When it returns, the record is flushed in the journal and in the database.
   *
   * @throws `NOT_ADMITTED` before the device's first record, `ALREADY_ADMITTED` for a second admission,
   *   `BACKUP_DEVICE` where it only stores, `DEVICE_OUT` where it was revoked;
   *   storage errors, and then nothing was published
   */
  publish(statement: Statement): SignedRecord
  /** An own record came from outside and is stored: this directory is older than what this device wrote. */
  adopted(record: SignedRecord): void
  /** Whether pending records of this device continue the best chain. */
  hasIncludable(): boolean
  /** Puts back what stands in the journal and not in the database; returns how many. */
  recover(): number
  /** Signs again what the best chain left stranded; returns the new records. */
  resign(): SignedRecord[]
}

/** The place of the next record in this device's chain. */
interface Line {
  readonly sequence: number
  readonly previous: RecordId | null
  readonly user: UserId | undefined
}

interface OwnLine extends Line {
  /** The pending records on it. */
  readonly members: Set<RecordId>
}

export function createOwnRecords(components: OwnRecordsComponents, network: NetworkId): OwnRecords {
  const { store, journal, signer, clock, events } = components
  const logger = components.logger.child('own')

  // Kept between publications: a folder of many files must not read all its pending records for each.
  let cached: OwnLine | undefined
  events.on('chain:tip', () => {
    cached = undefined
  })

  /** What the best chain holds of this device, continued by the pending records that fit onto it. */
  const line = (): OwnLine => {
    cached ??= readLine()
    return cached
  }

  const readLine = (): OwnLine => {
    const included = readDevice(store.state, signer.device)
    const members = new Set<RecordId>()
    let next: Line = {
      sequence: included === undefined ? 0 : included.sequence + 1,
      previous: included?.last ?? null,
      user: included?.user,
    }
    for (;;) {
      const record = store
        .recordsAt(signer.device, next.sequence)
        .find(
          (stored) => stored.place === undefined && stored.record.previous === next.previous,
        )?.record
      if (record === undefined) return { ...next, members }
      members.add(record.id)
      next = {
        sequence: record.sequence + 1,
        previous: record.id,
        user: next.user ?? userOf(record),
      }
    }
  }

  /** Pending records of this device beside the line, oldest first: what equivocation left behind. */
  const besides = (at: OwnLine): SignedRecord[] => {
    const found: SignedRecord[] = []
    for (const head of store.headsOf(signer.device)) {
      let cursor: RecordId | null = head.id
      while (cursor !== null && !at.members.has(cursor)) {
        const stored: StoredRecord | undefined = store.record(cursor)
        if (stored === undefined || stored.place !== undefined) break
        found.push(stored.record)
        cursor = stored.record.previous
      }
    }
    return found.sort((a, b) => a.sequence - b.sequence)
  }

  /** Those that the best chain cannot take: another stands in their place, or in that of one before them. */
  const strandedOf = (records: readonly SignedRecord[]): SignedRecord[] => {
    const stranded = new Set<RecordId>()
    return records.filter((record) => {
      const standing = inclusionOf(store.state, record)
      const follows = record.previous !== null && stranded.has(record.previous)
      if (!follows && standing !== 'stranded' && standing !== 'confirmed') return false
      stranded.add(record.id)
      return true
    })
  }

  const write = (statement: Statement, replaces?: Replaces): SignedRecord => {
    const at = line()
    const admission = statement.type === 'user.create' || statement.type === 'device.add'
    if (admission && at.sequence > 0) throw serviceError('ALREADY_ADMITTED')
    if (!admission && at.user === undefined) throw serviceError('NOT_ADMITTED')
    const unsigned = {
      network,
      ...statement,
      user:
        statement.type === 'user.create' ? null : 'user' in statement ? statement.user : at.user,
      device: signer.device,
      sequence: at.sequence,
      previous: at.previous,
      seen: store.tip().id,
      time: clock.now(),
      ...(replaces === undefined ? {} : { replaces }),
    } as UnsignedRecord
    const record = signRecord(unsigned, signer.sign)
    journal.append(record.bytes)
    store.transaction(() => store.putRecord(record, { own: true, received: clock.now() }))
    at.members.add(record.id)
    cached = {
      sequence: record.sequence + 1,
      previous: record.id,
      user: at.user ?? userOf(record),
      members: at.members,
    }
    events.emit('record:pending', { record, own: true })
    return record
  }

  const storesOnly = (): boolean => {
    const device = readDevice(store.state, signer.device)
    return device !== undefined && isBackup(store.state, signer.device, device)
  }

  return {
    get user() {
      return line().user
    },
    publish: (statement) => {
      // The rules refuse it all the same, and a file that nobody ever sees would count as added. An attempt to read
      // stands in the access log.
      if (statement.type !== 'access' && storesOnly()) throw serviceError('BACKUP_DEVICE')
      if (isOut(store, signer.device)) throw serviceError('DEVICE_OUT')
      return write(statement)
    },
    adopted: (record) => {
      journal.append(record.bytes)
      cached = undefined
      events.emit('record:adopted', { record: record.id, sequence: record.sequence })
    },
    hasIncludable: () => line().members.size > 0,
    recover: () => {
      let found = 0
      store.transaction(() => {
        for (const bytes of journal.read()) {
          const record = decodeRecord(bytes)
          if (record.network !== network || store.hasRecord(record.id)) continue
          store.putRecord(record, { own: true, received: clock.now() })
          found += 1
        }
      })
      return found
    },
    resign: () => {
      const resigned: SignedRecord[] = []
      const stranded = strandedOf(besides(line()))
      if (stranded.length === 0) return resigned
      const identities = new Set<RecordId>()
      for (const id of line().members) {
        const stored = store.record(id)
        if (stored !== undefined) identities.add(stored.record.identity)
      }
      for (const record of stranded) {
        if (record.type === 'user.create' || record.type === 'device.add') continue
        if (identities.has(record.identity)) continue
        if (readRecordState(store.state, record.identity) !== undefined) continue
        events.emit('record:stranded', { record: record.id, device: record.device })
        const statement = { type: record.type, body: record.body } as Statement
        resigned.push(write(statement, record.replaces ?? envelopeOf(record)))
        identities.add(record.identity)
      }
      if (resigned.length > 0) {
        logger.warn('Records that could not enter the chain were signed again', {
          count: resigned.length,
        })
      }
      return resigned
    },
  }
}

function userOf(record: SignedRecord): UserId {
  return record.user ?? record.id
}

function envelopeOf(record: SignedRecord): Replaces {
  const device = deviceKeyOf(record.device)
  assert(device !== undefined, 'a record names its device')
  const { sequence, previous, seen, time, signature } = record
  return { device, sequence, previous, seen, time, signature }
}
