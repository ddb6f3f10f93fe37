/** Read models of people: who there is, and what was said about them and their keys. Pending records included. */
import { type DeviceId, deviceIdOf, type UserId } from '../chain/ids.ts'
import {
  CHAIN_ORDER,
  MAX_ROWS,
  STORED_COLUMNS,
  type StoredRecord,
  type StoredRow,
} from './record-table.ts'
import { PEOPLE_TYPES } from './schema.ts'
import type { Database } from './sqlite.ts'

export interface PersonEntry extends StoredRecord {
  readonly user: UserId
  readonly device: DeviceId
  readonly name: string
  readonly deviceName: string
}

export interface People {
  /** One entry for each user, by their `user.create`. */
  users(): PersonEntry[]
  /** One entry for each device, by its record 0. */
  devices(): PersonEntry[]
  /** Records about people and their keys, in chain order, pending last. */
  peopleRecords(): StoredRecord[]
  /** Those of one user, and the user's own `user.create`; the others are not decoded. */
  peopleRecordsOf(user: UserId): StoredRecord[]
}

export function createPeople({
  db,
  records,
}: {
  readonly db: Database
  readonly records: { stored(row: StoredRow): StoredRecord }
}): People {
  // The index of these types is used only where its own condition stands word for word.
  const people = db.prepare<StoredRow>(
    `SELECT ${STORED_COLUMNS} WHERE type IN ${PEOPLE_TYPES} AND type IN ('user.create', 'device.add')
     ORDER BY records.outcome IS NOT 'applied', records.height IS NULL, records.height, records.place,
       records.number LIMIT ${MAX_ROWS}`,
  )
  const renamings = db.prepare<StoredRow>(
    `SELECT ${STORED_COLUMNS} WHERE type IN ${PEOPLE_TYPES} AND type = 'device.name' ${CHAIN_ORDER}`,
  )
  const allPeople = db.prepare<StoredRow>(
    `SELECT ${STORED_COLUMNS} WHERE type IN ${PEOPLE_TYPES} ${CHAIN_ORDER}`,
  )
  const oneUser = db.prepare<StoredRow>(
    `SELECT ${STORED_COLUMNS} WHERE type IN ${PEOPLE_TYPES} AND user = ? ${CHAIN_ORDER}`,
  )
  const personsBy = (keyOf: (person: PersonEntry) => string | undefined): PersonEntry[] => {
    const found = new Map<string, PersonEntry>()
    for (const row of people.all()) {
      const person = personOf(records.stored(row))
      const key = person === undefined ? undefined : keyOf(person)
      if (person !== undefined && key !== undefined && !found.has(key)) found.set(key, person)
    }
    return [...found.values()]
  }
  /** The latest name of each device that its user gave it. */
  const renamed = (): Map<string, string> => {
    const names = new Map<string, string>()
    for (const row of renamings.all()) {
      const { record, outcome } = records.stored(row)
      if (record.type !== 'device.name' || outcome === 'rejected') continue
      names.set(`${record.user} ${deviceIdOf(record.body.device)}`, record.body.name)
    }
    return names
  }

  return {
    users: () =>
      personsBy(({ record, user }) => (record.type === 'user.create' ? user : undefined)),
    devices: () => {
      const names = renamed()
      return personsBy(({ device }) => device).map((person) => {
        const name = names.get(`${person.user} ${person.device}`)
        return name === undefined ? person : { ...person, deviceName: name }
      })
    },
    peopleRecords: () => allPeople.all().map(records.stored),
    peopleRecordsOf: (user) => oneUser.all(user).map(records.stored),
  }
}

function personOf(stored: StoredRecord): PersonEntry | undefined {
  const { record } = stored
  if (record.type === 'user.create') {
    const { name, deviceName } = record.body
    return { ...stored, user: record.identity, device: record.device, name, deviceName }
  }
  if (record.type !== 'device.add' || record.user === null) return undefined
  return {
    ...stored,
    user: record.user,
    device: record.device,
    name: record.body.name,
    deviceName: record.body.name,
  }
}
