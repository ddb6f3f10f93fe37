/** JSON of unknown origin: bounded, and with the place of what is wrong. */
import { legacyError } from './errors.ts'

/** Values inside values: the formats of the forerunner have seven. */
const MAX_DEPTH = 32
/** Values of one file: a hundred thousand blocks, some hundred megabytes of memory. */
const MAX_VALUES = 1_500_000

export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}

/** @param name - of the file, for the error. @throws LEGACY_JSON */
export function parseJson(bytes: Uint8Array, name: string): Json {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw legacyError('LEGACY_JSON', { name, place: 'some byte', why: 'it is not UTF-8' }, error)
  }
  const over = overLimit(text)
  if (over !== undefined) {
    throw legacyError('LEGACY_JSON', { name, place: placeOf(text, over.at), why: over.why })
  }
  try {
    return JSON.parse(text) as Json
  } catch (error) {
    const place = placeOf(text, faultAt(text))
    throw legacyError('LEGACY_JSON', { name, place, why: 'it is not JSON there' }, error)
  }
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN = new Set([0x7b, 0x5b])
const CLOSE = new Set([0x7d, 0x5d])

/** Looks at brackets and commas alone, so that nothing large is made of what is refused. */
function overLimit(text: string): { at: number; why: string } | undefined {
  let depth = 0
  let values = 0
  let inText = false
  for (let at = 0; at < text.length; at += 1) {
    const sign = text.charCodeAt(at)
    if (inText) {
      if (sign === BACKSLASH) at += 1
      else if (sign === QUOTE) inText = false
    } else if (sign === QUOTE) inText = true
    else if (OPEN.has(sign)) {
      depth += 1
      values += 1
      if (depth > MAX_DEPTH) {
        return { at, why: `values stand inside of more than ${MAX_DEPTH} others` }
      }
    } else if (CLOSE.has(sign)) depth -= 1
    else if (sign === COMMA) values += 1
    if (values > MAX_VALUES) return { at, why: `it has more than ${MAX_VALUES} values` }
  }
  return undefined
}

const SPACE = /[ \t\n\r]*/y
// RFC 8259, 6 and 7.
const SCALAR =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: text of JSON may hold none
  /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y

/** Where text that is no JSON stops to be it: what comes next there fits nowhere. Only for depths checked before. */
function faultAt(text: string): number {
  let at = 0
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    const found = pattern.exec(text)?.[0]
    at += found?.length ?? 0
    return found
  }
  const sign = (wanted: string): boolean => {
    take(SPACE)
    if (text[at] !== wanted) return false
    at += 1
    return true
  }
  const entries = (end: string, entry: () => boolean): boolean => {
    if (sign(end)) return true
    do {
      if (!entry()) return false
    } while (sign(','))
    return sign(end)
  }
  const value = (): boolean => {
    if (sign('{')) {
      return entries('}', () => {
        take(SPACE)
        return text[at] === '"' && take(SCALAR) !== undefined && sign(':') && value()
      })
    }
    if (sign('[')) return entries(']', value)
    return take(SCALAR) !== undefined
  }
  if (value()) take(SPACE)
  return at
}

/** `line 3, column 14`, counted from 1. */
function placeOf(text: string, at: number): string {
  const before = text.slice(0, at)
  const line = before.split('\n').length
  return `line ${line}, column ${at - before.lastIndexOf('\n')}`
}

export function isObject(value: Json | undefined): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

export function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value)
}

/** The value of a key that the object itself has. */
export function field(object: Json | undefined, key: string): Json | undefined {
  return isObject(object) && Object.hasOwn(object, key) ? object[key] : undefined
}

export function textIn(object: Json | undefined, key: string): string | undefined {
  const value = field(object, key)
  return typeof value === 'string' ? value : undefined
}

export function numberIn(object: Json | undefined, key: string): number | undefined {
  const value = field(object, key)
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

export function booleanIn(object: Json | undefined, key: string): boolean | undefined {
  const value = field(object, key)
  return typeof value === 'boolean' ? value : undefined
}
