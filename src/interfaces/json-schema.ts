/**
 * Checks values against JSON Schemas: the part of the standard (2020-12) that the configuration and the HTTP
 * API use. A full validator costs 5 MB of resident memory in every node, and its messages do not say what
 * was found; the tests hold this one against it.
 */
interface Common {
  readonly description?: string
  readonly examples?: readonly unknown[]
}
export interface StringSchema extends Common {
  readonly type: 'string'
  readonly enum?: readonly string[]
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  readonly default?: string
}
export interface NumberSchema extends Common {
  readonly type: 'integer' | 'number'
  readonly minimum?: number
  readonly maximum?: number
  readonly default?: number
}
export interface BooleanSchema extends Common {
  readonly type: 'boolean'
  readonly default?: boolean
}
export interface ArraySchema extends Common {
  readonly type: 'array'
  readonly items: JsonSchema
  readonly maxItems?: number
  readonly default?: readonly unknown[]
}
export interface ObjectSchema extends Common {
  readonly type: 'object'
  readonly properties: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties: false
}
/** A value of `anyOf[0]` or null. */
export interface NullableSchema extends Common {
  readonly anyOf: readonly [JsonSchema, { readonly type: 'null' }]
  readonly default?: null
}
export type JsonSchema =
  | StringSchema
  | NumberSchema
  | BooleanSchema
  | ArraySchema
  | ObjectSchema
  | NullableSchema

type Scalar<S> = S extends { readonly enum: readonly (infer E)[] }
  ? E
  : S extends { readonly type: 'string' }
    ? string
    : S extends { readonly type: 'integer' | 'number' }
      ? number
      : S extends { readonly type: 'boolean' }
        ? boolean
        : never
type Property<S> = S extends { readonly type: 'array'; readonly items: infer I }
  ? readonly Scalar<I>[]
  : S extends { readonly anyOf: readonly [infer T, unknown] }
    ? Scalar<T> | null
    : Scalar<S>

type Needed<S> = S extends { readonly required: readonly (infer R)[] } ? R : never

/** The type of the objects that a schema allows: one of scalars, lists of them, or scalars or null. */
export type Infer<S extends ObjectSchema> = S extends { readonly properties: infer P }
  ? { readonly [K in keyof P & Needed<S>]: Property<P[K]> } & {
      readonly [K in Exclude<keyof P, Needed<S>>]?: Property<P[K]>
    }
  : never

/** One thing that is not as it should be. `where` is the key, with dots and indices. */
export interface Problem {
  readonly where: string
  readonly found: string
  readonly allowed: string
}

/** Everything in `value` that `schema` does not allow; at most a few dozen are listed. */
export function check(schema: JsonSchema, value: unknown, where: string): Problem[] {
  const problems: Problem[] = []
  visit(schema, value, where, problems)
  return problems
}

/** Problems listed at a time: a person reads a few, a hostile body would make thousands. */
const MAX_PROBLEMS = 32

function visit(schema: JsonSchema, value: unknown, where: string, problems: Problem[]): void {
  if (problems.length >= MAX_PROBLEMS) return
  if ('anyOf' in schema) {
    if (value !== null) visit(schema.anyOf[0], value, where, problems)
    return
  }
  if (!fits(schema, value)) {
    problems.push({ where, found: shown(value), allowed: describe(schema) })
    return
  }
  if (schema.type === 'array') {
    for (const [index, entry] of (value as unknown[]).entries()) {
      visit(schema.items, entry, `${where}[${index}]`, problems)
    }
  }
  if (schema.type === 'object') visitObject(schema, value as object, where, problems)
}

function visitObject(
  schema: ObjectSchema,
  value: object,
  where: string,
  problems: Problem[],
): void {
  const inside = (key: string): string => (where === '' ? key : `${where}.${key}`)
  for (const key of schema.required ?? []) {
    if (!Object.hasOwn(value, key)) {
      const entry = schema.properties[key]
      const allowed = entry === undefined ? 'a value' : describe(entry)
      problems.push({ where: inside(key), found: 'nothing', allowed })
    }
  }
  for (const [key, entry] of Object.entries(value)) {
    const property = Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined
    if (property !== undefined) visit(property, entry, inside(key), problems)
    else if (problems.length < MAX_PROBLEMS) {
      const allowed = `one of the keys ${Object.keys(schema.properties).join(', ')}`
      problems.push({ where: inside(key), found: 'an unknown key', allowed })
    }
  }
}

function fits(schema: Exclude<JsonSchema, NullableSchema>, value: unknown): boolean {
  switch (schema.type) {
    case 'string':
      return typeof value === 'string' && stringFits(schema, value)
    case 'integer':
    case 'number': {
      if (typeof value !== 'number' || !Number.isFinite(value)) return false
      if (schema.type === 'integer' && !Number.isInteger(value)) return false
      return value >= (schema.minimum ?? -Infinity) && value <= (schema.maximum ?? Infinity)
    }
    case 'boolean':
      return typeof value === 'boolean'
    case 'array':
      return Array.isArray(value) && value.length <= (schema.maxItems ?? Infinity)
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
  }
}

function stringFits(schema: StringSchema, value: string): boolean {
  if (schema.enum !== undefined && !schema.enum.includes(value)) return false
  if (schema.minLength !== undefined || schema.maxLength !== undefined) {
    // The standard counts characters, not UTF-16 units.
    const length = [...value].length
    if (length < (schema.minLength ?? 0) || length > (schema.maxLength ?? Infinity)) return false
  }
  return schema.pattern === undefined || new RegExp(schema.pattern, 'u').test(value)
}

/** In words, what `schema` allows. */
export function describe(schema: JsonSchema): string {
  if ('anyOf' in schema) return `${describe(schema.anyOf[0])} or null`
  switch (schema.type) {
    case 'string':
      if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`
      if (schema.pattern !== undefined) return schema.description ?? `text like ${schema.pattern}`
      if (schema.maxLength === undefined) return 'text'
      return `text of ${schema.minLength ?? 0} to ${schema.maxLength} characters`
    case 'integer':
    case 'number':
      return `${schema.type === 'integer' ? 'a whole number' : 'a number'}${bounds(schema)}`
    case 'boolean':
      return 'true or false'
    case 'array':
      return `a list${schema.maxItems === undefined ? '' : ` of at most ${schema.maxItems}`}: ${describe(schema.items)}`
    case 'object':
      return 'an object'
  }
}

function bounds({ minimum, maximum }: NumberSchema): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`
  if (minimum !== undefined) return ` of at least ${minimum}`
  return maximum === undefined ? '' : ` of at most ${maximum}`
}

/** Characters of a wrong value that an error repeats. */
const SHOWN_CHARACTERS = 60

/** `value` for a message: short, on one line. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = JSON.stringify(value) ?? String(value)
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text
}

/**
 * The value that a text (from a query, the environment, `config set`) stands for under `schema`; a text that
 * stands for none is given back as it is, for `check` to refuse.
 */
export function fromText(schema: JsonSchema, text: string): unknown {
  if ('anyOf' in schema) return text === 'null' ? null : fromText(schema.anyOf[0], text)
  switch (schema.type) {
    case 'integer':
    case 'number':
      return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
    case 'boolean':
      if (text === 'true' || text === '1' || text === '') return true
      return text === 'false' || text === '0' ? false : text
    case 'array':
      return text === '' ? [] : text.split(',').map((part) => fromText(schema.items, part.trim()))
    default:
      return text
  }
}
