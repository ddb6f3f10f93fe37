/** What a route is: one declaration gives the check of its input, its handler and its OpenAPI entry. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Infer, ObjectSchema } from '../json-schema.ts'
import type { Reply } from './replies/replies.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

/** One request on its way to an answer. */
export interface Exchange<Query = unknown, Body = unknown> {
  /** Request id: the client's own when it is a plain word, else a random one. */
  readonly id: string
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Named parts of the path, decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly query: Query
  readonly body: Body
  /** Aborts when the client leaves before the answer is complete, and when the node stops. */
  readonly signal: AbortSignal
}

/** A JSON answer other than a plain 200. */
export interface Answer {
  readonly status: number
  readonly json: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface Route {
  readonly method: Method
  /** `/a/:name/b`; `:name` stands for one segment. */
  readonly path: string
  readonly summary: string
  /** Needs no token. */
  readonly open: boolean
  readonly query: ObjectSchema | undefined
  readonly body: ObjectSchema | undefined
  /** What the body is when it is not JSON, for the document. */
  readonly consumes: readonly string[]
  /** What a success gives, for the document. */
  readonly gives: {
    readonly status: number
    readonly type: string
    readonly says: string
    /** Of an answer in JSON: which one. */
    readonly reply: Reply | undefined
    /** Tells of its progress to who asks for it. */
    readonly progress: boolean
    /** Other statuses of a success, and what they mean. */
    readonly also: Readonly<Record<number, string>>
  }
  /** Answers JSON, or writes the response itself and gives undefined. */
  handle(exchange: Exchange): Promise<Answer | undefined>
}

/** JSON says which; anything else says its media type. */
type Gives =
  | { readonly reply: Reply; readonly type?: never; readonly progress?: boolean }
  | { readonly type: string; readonly reply?: never; readonly progress?: never }

type RouteSpec<Q extends ObjectSchema, B extends ObjectSchema> = Gives & {
  readonly summary: string
  readonly open?: boolean
  readonly query?: Q
  readonly body?: B
  readonly consumes?: readonly string[]
  readonly gives: string
  readonly status?: number
  readonly also?: Readonly<Record<number, string>>
  readonly handle: (
    exchange: Exchange<Infer<Q>, Infer<B>>,
  ) => Promise<Answer | undefined> | Answer | undefined
}

interface Nothing extends ObjectSchema {
  readonly properties: Record<never, never>
  readonly required: readonly never[]
}

/** Declares a route; query and body have, in the handler, the types that their schemas describe. */
export function route<
  const Q extends ObjectSchema = Nothing,
  const B extends ObjectSchema = Nothing,
>(method: Method, path: string, spec: RouteSpec<Q, B>): Route {
  return {
    method,
    path,
    summary: spec.summary,
    open: spec.open ?? false,
    query: spec.query,
    body: spec.body,
    consumes: spec.consumes ?? [],
    gives: {
      status: spec.status ?? 200,
      type: spec.type ?? 'application/json',
      says: spec.gives,
      reply: spec.reply,
      progress: spec.progress ?? false,
      also: spec.also ?? {},
    },
    handle: async (exchange) => spec.handle(exchange as Exchange<Infer<Q>, Infer<B>>),
  }
}

/** A 200 with `json`. */
export function ok(json: unknown): Answer {
  return { status: 200, json }
}

/** The schema of an object of optional and required properties. */
export function objectOf<
  const P extends ObjectSchema['properties'],
  const R extends readonly (keyof P & string)[] = readonly [],
>(properties: P, ...required: R) {
  return { type: 'object', properties, required, additionalProperties: false } as const
}
