/**
 * Words for the schemas of answers. They are for the document alone, which is loaded when somebody asks for it; their
 * types follow the types that are sent, so that a field that comes or goes is an error until its schema says so too.
 * Objects are open: new fields may come in a later version. All fields are there unless they are named optional.
 */
import type { BooleanSchema, NumberSchema, StringSchema } from '../../json-schema.ts'

export interface Reference {
  readonly $ref: string
}
export interface ObjectReply {
  readonly type: 'object'
  readonly properties: Readonly<Record<string, ReplySchema>>
  readonly required: readonly string[]
}
/** An object with any fields. */
export interface AnyObject {
  readonly type: 'object'
  readonly description: string
  readonly additionalProperties: true
}
export interface ListOf<S> {
  readonly type: 'array'
  readonly items: S
}
export interface NullOr<S> {
  readonly anyOf: readonly [S, { readonly type: 'null' }]
}
export interface OneOf {
  readonly oneOf: readonly ReplySchema[]
}
export type ReplySchema =
  | StringSchema
  | NumberSchema
  | BooleanSchema
  | Reference
  | ObjectReply
  | AnyObject
  | OneOf
  | ListOf<ReplySchema>
  | NullOr<ReplySchema>

/** The schemas that describe a value of type `T` once it is JSON. */
export type SchemaFor<T> = null extends T
  ? NullOr<SchemaFor<Exclude<T, null>>>
  : [T] extends [string | bigint]
    ? StringSchema
    : [T] extends [number]
      ? NumberSchema
      : [T] extends [boolean]
        ? BooleanSchema
        : [T] extends [readonly (infer E)[]]
          ? ListOf<SchemaFor<E>>
          : Reference | ObjectReply | AnyObject

export const text = { type: 'string' } as const satisfies StringSchema
export const flag = { type: 'boolean' } as const satisfies BooleanSchema
export const count = { type: 'integer', minimum: 0 } as const satisfies NumberSchema
export const number = { type: 'number' } as const satisfies NumberSchema
/** An id as CID text. */
export const cid = { type: 'string', pattern: '^b[a-z2-7]{20,}$' } as const satisfies StringSchema
/** A libp2p peer id. */
export const device = {
  type: 'string',
  pattern: '^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$',
} as const satisfies StringSchema
export const hex = { type: 'string', pattern: '^([0-9a-f]{2})*$' } as const satisfies StringSchema
export const sha256 = { type: 'string', pattern: '^[0-9a-f]{64}$' } as const satisfies StringSchema
/** A whole number that may be too great for JSON's. */
export const decimal = { type: 'string', pattern: '^\\d+$' } as const satisfies StringSchema
/** Milliseconds since 1970 UTC. */
export const time = {
  type: 'integer',
  minimum: 0,
  description: 'milliseconds since 1970 UTC',
} as const satisfies NumberSchema

export function words<T extends string>(...all: readonly T[]): StringSchema {
  return { type: 'string', enum: all }
}

export function nullable<S>(schema: S): NullOr<S> {
  return { anyOf: [schema, { type: 'null' }] }
}

export function list<S>(items: S): ListOf<S> {
  return { type: 'array', items }
}

export function ref(name: string): Reference {
  return { $ref: `#/components/schemas/${name}` }
}

export function anything(description: string): AnyObject {
  return { type: 'object', description, additionalProperties: true }
}

/** The schema of `T`, field by field. */
export function object<T extends object>(
  properties: { readonly [K in keyof T]-?: SchemaFor<Exclude<T[K], undefined>> },
  ...optional: readonly (keyof T)[]
): ObjectReply {
  const names = Object.keys(properties).filter((name) => !optional.includes(name as keyof T))
  return { type: 'object', properties: properties as ObjectReply['properties'], required: names }
}
