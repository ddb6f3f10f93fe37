/**
 * Shapes: one description of a value gives its type, its check and its encoded form. What passed a shape is
 * trusted inside. Links are text in memory and CIDs when encoded; everything else is the same in both.
 *
 * @example
 * const point = struct({ x: uint(), label: optional(text(20)) })
 * type Point = Shaped<typeof point>
 * const value = point.read(decode(bytes, 100), 'point') // throws ENCODING for anything else
 * const bytes = encode(point.write(value))
 */
import { utf8 } from './bytes.ts'
import type { CborValue } from './cbor-value.ts'
import { isLink, linkTo } from './dag-cbor.ts'
import { encodingError } from './errors.ts'

export interface Shape<T> {
  /** The typed value; throws `ENCODING` naming `path`. */
  read(value: CborValue | undefined, path: string): T
  /** What to encode. */
  write(value: T): CborValue | undefined
}

/** The type that a shape describes. */
export type Shaped<S> = S extends Shape<infer T> ? T : never

const fail = (path: string, wanted: string): never => {
  throw encodingError(`${path} must be ${wanted}`)
}

function same<T extends CborValue>(
  wanted: string,
  accept: (value: CborValue | undefined) => boolean,
): Shape<T> {
  return {
    read: (value, path) => (accept(value) ? (value as T) : fail(path, wanted)),
    write: (value) => value,
  }
}

/** A whole number from 0 to `max` (default 2^53 - 1). */
export function uint(max: number = Number.MAX_SAFE_INTEGER): Shape<number> {
  return same(`a whole number from 0 to ${max}`, (value) => {
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max
  })
}

/** Well-formed text of at most `maxBytes` bytes in UTF-8. */
export function text(maxBytes: number, minBytes = 0): Shape<string> {
  return same(`text of ${minBytes} to ${maxBytes} bytes`, (value) => {
    if (typeof value !== 'string' || value.length > maxBytes || !value.isWellFormed()) return false
    // A UTF-16 unit takes three bytes at most: short text needs no count.
    if (value.length >= minBytes && value.length * 3 <= maxBytes) return true
    const length = utf8(value).length
    return length >= minBytes && length <= maxBytes
  })
}

/** Exactly `length` bytes, or `min` to `max`. */
export function bytes(min: number, max: number = min): Shape<Uint8Array> {
  const wanted = min === max ? `${min} bytes` : `${min} to ${max} bytes`
  return same(
    wanted,
    (value) => value instanceof Uint8Array && value.length >= min && value.length <= max,
  )
}

export function boolean(): Shape<boolean> {
  return same('true or false', (value) => typeof value === 'boolean')
}

/** One of these texts. */
export function oneOf<const T extends readonly string[]>(...choices: T): Shape<T[number]> {
  return same(
    `one of ${choices.join(', ')}`,
    (value) => typeof value === 'string' && choices.includes(value),
  )
}

/** A link to a SHA-256 block under one of `codecs`; its CID text in memory. */
export function link<T extends string>(...codecs: readonly number[]): Shape<T> {
  return {
    read: (value, path) => (isLink(value, codecs) ? (value.toString() as T) : fail(path, 'a link')),
    write: (value) => linkTo(value),
  }
}

export function nullable<T>(inner: Shape<T>): Shape<T | null> {
  return {
    read: (value, path) => (value === null ? null : inner.read(value, path)),
    write: (value) => (value === null ? null : inner.write(value)),
  }
}

/** A field that may be missing. */
export function optional<T>(inner: Shape<T>): Shape<T | undefined> {
  return {
    read: (value, path) => (value === undefined ? undefined : inner.read(value, path)),
    write: (value) => (value === undefined ? undefined : inner.write(value)),
  }
}

/** A list of `min` to `max` items. */
export function list<T>(item: Shape<T>, max: number, min = 0): Shape<readonly T[]> {
  return {
    read: (value, path) => {
      if (!Array.isArray(value) || value.length < min || value.length > max) {
        return fail(path, `a list of ${min} to ${max} items`)
      }
      return value.map((entry: CborValue, index) => item.read(entry, `${path}[${index}]`))
    },
    write: (value) => value.map((entry) => item.write(entry) as CborValue),
  }
}

type Fields = { readonly [key: string]: Shape<never> | Shape<unknown> }
type OptionalKeys<F> = { [K in keyof F]: undefined extends Shaped<F[K]> ? K : never }[keyof F]
type Struct<F> = {
  readonly [K in Exclude<keyof F, OptionalKeys<F>>]: Shaped<F[K]>
} & { readonly [K in OptionalKeys<F>]?: Exclude<Shaped<F[K]>, undefined> }

/** A map with exactly these fields. */
export function struct<const F extends Fields>(fields: F): Shape<Struct<F>> {
  // In the order of the encoding (shorter keys first, then by bytes), so that nothing is left to sort there.
  const entries = (Object.entries(fields) as [string, Shape<unknown>][]).sort(
    ([a], [b]) => a.length - b.length || (a < b ? -1 : 1),
  )
  const pathsUnder = fieldPaths(entries)
  return {
    read: (value, path) => {
      if (!isMap(value)) return fail(path, 'a map')
      const result: Record<string, unknown> = {}
      const paths = pathsUnder(path)
      let known = 0
      for (let index = 0; index < entries.length; index++) {
        const [key, shape] = entries[index] as (typeof entries)[number]
        const present = Object.hasOwn(value, key)
        if (present) known += 1
        const read = shape.read(present ? value[key] : undefined, paths[index] as string)
        if (read !== undefined) result[key] = read
      }
      let size = 0
      for (const _ in value) size += 1
      if (size !== known) fail(path, `a map with no other fields than ${Object.keys(fields)}`)
      return result as Struct<F>
    },
    write: (value) => {
      const result: Record<string, CborValue | undefined> = {}
      for (const [key, shape] of entries) {
        const entry = (value as Record<string, unknown>)[key]
        if (entry !== undefined) result[key] = shape.write(entry)
      }
      return result
    },
  }
}

type TupleFields = readonly (readonly [string, Shape<never> | Shape<unknown>])[]
type Tuple<F extends TupleFields> = { readonly [E in F[number] as E[0]]: Shaped<E[1]> }

/** A list with one place for each field, in this order; an object in memory. */
export function tuple<const F extends TupleFields>(...fields: F): Shape<Tuple<F>> {
  const entries = fields as unknown as readonly (readonly [string, Shape<unknown>])[]
  const pathsUnder = fieldPaths(entries)
  return {
    read: (value, path) => {
      if (!Array.isArray(value) || value.length !== entries.length) {
        return fail(path, `a list of ${entries.length} fields`)
      }
      const result: Record<string, unknown> = {}
      const paths = pathsUnder(path)
      for (let index = 0; index < entries.length; index++) {
        const [key, shape] = entries[index] as (typeof entries)[number]
        result[key] = shape.read(value[index] as CborValue, paths[index] as string)
      }
      return result as Tuple<F>
    },
    write: (value) =>
      entries.map(
        ([key, shape]) => shape.write((value as Record<string, unknown>)[key]) as CborValue,
      ),
  }
}

type Variants = { readonly [tag: string]: Shape<never> | Shape<unknown> }
type Variant<Tag extends string, V extends Variants> = {
  [K in keyof V]: { readonly [T in Tag]: K } & Shaped<V[K]>
}[keyof V]

/** A map whose field `tag` says which of the shapes the other fields have. */
export function variant<const Tag extends string, const V extends Variants>(
  tag: Tag,
  variants: V,
): Shape<Variant<Tag, V>> {
  return {
    read: (value, path) => {
      if (!isMap(value)) return fail(path, 'a map')
      const { [tag]: name, ...rest } = value
      if (typeof name !== 'string' || !Object.hasOwn(variants, name)) {
        return fail(`${path}.${tag}`, `one of ${Object.keys(variants).join(', ')}`)
      }
      const inner = (variants[name] as Shape<object>).read(rest, path)
      return { [tag]: name, ...inner } as Variant<Tag, V>
    },
    write: (value) => {
      const { [tag]: name, ...rest } = value as Record<string, unknown>
      const inner = (variants[name as string] as Shape<object>).write(rest)
      return { [tag]: name as string, ...(inner as Record<string, CborValue>) }
    },
  }
}

/** A map whose field `tag`, which each of the shapes has as one of its fields, says which of them it has. */
export function tagged<const Tag extends string, const V extends Variants>(
  tag: Tag,
  shapes: V,
): Shape<Shaped<V[keyof V]>> {
  const shapeOf = (value: unknown, path: string): Shape<Shaped<V[keyof V]>> => {
    const name = isMap(value) ? value[tag] : undefined
    return typeof name === 'string' && Object.hasOwn(shapes, name)
      ? (shapes[name] as Shape<Shaped<V[keyof V]>>)
      : fail(`${path}.${tag}`, `one of ${Object.keys(shapes).join(', ')}`)
  }
  return {
    read: (value, path) => shapeOf(value, path).read(value, path),
    write: (value) => shapeOf(value, 'value').write(value),
  }
}

/** The paths of fields under the path of their parent, which is the same each time for most: made once then. */
function fieldPaths(
  fields: readonly (readonly [string, unknown])[],
): (path: string) => readonly string[] {
  let last: string | undefined
  let paths: readonly string[] = []
  return (path) => {
    if (path === last) return paths
    last = path
    paths = fields.map(([key]) => `${path}.${key}`)
    return paths
  }
}

function isMap(value: unknown): value is Record<string, CborValue> {
  return (
    value !== null &&
    typeof value === 'object' &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    Object.getPrototypeOf(value) === Object.prototype
  )
}
