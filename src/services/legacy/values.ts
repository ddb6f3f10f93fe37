/** Names, times and places as the forerunner wrote them. */
import { field, type Json } from './json.ts'
import type { LegacyTime, UnverifiedName } from './types.ts'

export function nameIn(object: Json | undefined, key: string): UnverifiedName | null {
  const name = field(object, key)
  return typeof name === 'string' ? unverified(name) : null
}

export function unverified(name: string): UnverifiedName {
  return { name, verified: false }
}

// What Python's datetime.isoformat gives, with or without a zone.
const ISO = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)(Z|[+-]\d\d:?\d\d)?$/

/** Seconds since 1970 as a number, or ISO 8601 as text; without a zone both are read as UTC. */
export function timeIn(object: Json | undefined, key: string): LegacyTime | null {
  const value = field(object, key)
  if (typeof value === 'number') {
    const time = Math.round(value * 1000)
    return Number.isSafeInteger(time) && time >= 0 ? { time, assumedUtc: true } : null
  }
  const [, day, clock, zone] = typeof value === 'string' ? (ISO.exec(value) ?? []) : []
  if (day === undefined || clock === undefined) return null
  const time = Date.parse(`${day}T${clock}${zone ?? 'Z'}`)
  return Number.isNaN(time) || time < 0 ? null : { time, assumedUtc: zone === undefined }
}

/** Letters of a key that a place repeats. */
const MAX_KEY = 16

/** `contracts["abc…"]`. */
export function at(list: string, key: string): string {
  return `${list}[${JSON.stringify(key.length > MAX_KEY ? `${key.slice(0, MAX_KEY)}…` : key)}]`
}
