/**
 * What people call a backup. Each device counts its own at each destination, so a number alone may mean several:
 * `laptop:42` says whose, and the sixteen digits at the end of an object's name mean one alone.
 */
import { decodeRecord } from '../../chain/codec.ts'
import { cidOfObject } from './ipfs-place.ts'
import { folderOf, MAX_BACKUP_NAME, type Manifest } from './manifest.ts'

/** What names a backup. */
export interface Called {
  readonly object: string
  /** Of the manifest, as IPFS has it. */
  readonly cid: string
  readonly number: number
  /** What somebody called it. */
  readonly name: string
  /** The device that wrote it, as it was called when it was admitted. */
  readonly device: string
}

const NUMBER = /^\d{1,10}$/
/** Digits of an object's id from which on it counts as one. */
const ID = /^[0-9a-f]{6,16}$/
const ID_DIGITS = 16
const EXTENSION = '.manifest'

/** What somebody calls a backup, as it can stand in a manifest, a log and a database: one line of at most 200 bytes. */
export function nameToKeep(name: string): string {
  const line = name.toWellFormed().replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ')
  let kept = ''
  let bytes = 0
  for (const character of line) {
    bytes += Buffer.byteLength(character)
    if (bytes > MAX_BACKUP_NAME) break
    kept += character
  }
  return kept
}

export function calledOf(manifest: Manifest): Called {
  const { object, number, name, bytes } = manifest
  return { object, number, name, cid: cidOfObject(bytes), device: deviceNameOf(manifest) }
}

/**
 * Whether somebody means this backup: by its number, the device's name and the number, its object's id, name or
 * beginning, what it was called, or its CID.
 */
export function isCalled({ object, number, name, cid, device }: Called, id: string): boolean {
  if (NUMBER.test(id)) return number === Number(id)
  if (id === '') return false
  if (ID.test(id) && idOf(object).startsWith(id)) return true
  const last = object.slice(object.lastIndexOf('/') + 1)
  const whole = `${device}:${number}`
  return object === id || last.startsWith(id) || name === id || cid === id || whole === id
}

/** Copies of one state: of one device, leading to one block. */
export function stateOf(manifest: Manifest): string {
  return `${folderOf(manifest)}${manifest.tip}`
}

/** The shortest name of each that means no other state: its number, the device's name with it, its object's id. */
export function shortNames(manifests: readonly Manifest[]): ReadonlyMap<Manifest, string> {
  const states = new Map<string, Set<string>>()
  const named = manifests.map((manifest) => {
    const { number, device, object } = calledOf(manifest)
    return { manifest, names: [String(number), `${device}:${number}`, idOf(object)] }
  })
  for (const { manifest, names } of named) {
    for (const name of names) {
      states.set(name, (states.get(name) ?? new Set()).add(stateOf(manifest)))
    }
  }
  return new Map(
    named.map(({ manifest, names }) => {
      const short = names.find((name) => states.get(name)?.size === 1)
      return [manifest, short ?? manifest.object]
    }),
  )
}

/** The digits at the end of a manifest's name: the beginning of the SHA-256 of its bytes. */
function idOf(object: string): string {
  return object.slice(-EXTENSION.length - ID_DIGITS, -EXTENSION.length)
}

function deviceNameOf({ admission }: Manifest): string {
  const record = decodeRecord(admission)
  if (record.type === 'user.create') return record.body.deviceName
  return record.type === 'device.add' ? record.body.name : ''
}
