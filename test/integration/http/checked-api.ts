/** The HTTP API of a node; each answer is held against the node's own OpenAPI document. */
import assert from 'node:assert/strict'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { systemClock } from '../../../src/common/clock.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { createHttpApi } from '../../../src/interfaces/http/create-api.ts'
import type { CairnNode } from '../../../src/node/node.ts'
import { ask, type Reply } from '../../unit/interfaces/request.ts'

const TOKEN = 'a-token-of-forty-characters-0123456789abc'
const NDJSON = 'application/x-ndjson'

interface Content {
  readonly schema?: object
  readonly 'x-events'?: Readonly<Record<string, { readonly $ref: string }>>
}
interface Operation {
  readonly responses: Readonly<Record<string, { content?: Readonly<Record<string, Content>> }>>
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
}
export interface Call {
  readonly params?: readonly string[]
  readonly query?: string
  readonly json?: unknown
  readonly body?: string | Uint8Array
  readonly headers?: Record<string, string>
  /** 200 when it is missing. */
  readonly status?: number
}

export interface CheckedApi {
  readonly url: string
  /** `METHOD path status` of every answer that the document has, and of every one that was given. */
  readonly documented: readonly string[]
  readonly given: ReadonlySet<string>
  /** `path` as the document has it; `params` take the places of its names, in order. */
  call(method: string, path: string, call?: Call): Promise<Reply>
  /** Names of the events that came so far. */
  readonly events: ReadonlySet<string>
  readonly shutdowns: number
  stop(): Promise<void>
}

export async function createCheckedApi(node: CairnNode): Promise<CheckedApi> {
  let shutdowns = 0
  const server = createHttpApi(
    {
      node,
      token: TOKEN,
      logger: silentLogger,
      clock: systemClock,
      gatewayUrl: () => undefined,
      shutdown: () => {
        shutdowns += 1
      },
    },
    { host: '127.0.0.1', port: 0, allowedHosts: [], version: 'test' },
  )
  await server.start()
  const url = server.url ?? ''
  const document: Document = (await ask(`${url}/openapi.json`)).json
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  ajv.addSchema({ $id: 'document', components: { schemas: closed(document.components.schemas) } })
  const compiled = new Map<string, ValidateFunction>()
  const hold = (schema: object, value: unknown, what: string): void => {
    const text = JSON.stringify(closed(schema)).replaceAll('"#/components', '"document#/components')
    const validate = compiled.get(text) ?? ajv.compile(JSON.parse(text))
    compiled.set(text, validate)
    const fits = validate(value)
    assert.ok(fits, `${what}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(value)}`)
  }
  const given = new Set<string>()
  const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, { responses }]) =>
      Object.keys(responses)
        .filter((status) => status !== 'default')
        .map((status) => `${method.toUpperCase()} ${path} ${status}`),
    ),
  )

  const check = (method: string, path: string, reply: Reply): void => {
    const what = `${method} ${path} ${reply.status}`
    const responses = document.paths[path]?.[method.toLowerCase()]?.responses
    const response = responses?.[reply.status] ?? responses?.default
    assert.ok(response !== undefined, `${what} is not in the document`)
    given.add(what)
    if (response.content === undefined) return
    const type = String(reply.headers['content-type']).split(';')[0] ?? ''
    // The bytes of a file have the type that was given when it was added.
    const content = response.content[type] ?? response.content['application/octet-stream']
    assert.ok(content !== undefined, `${what} gives ${type}`)
    const { schema } = content
    if (schema === undefined) {
      assert.notEqual(type, 'application/json', `${what} has no schema`)
    } else if (type === NDJSON) {
      for (const line of reply.text.trim().split('\n')) hold(schema, JSON.parse(line), what)
    } else hold(schema, reply.json, what)
  }

  const events = new Set<string>()
  const leave = new AbortController()
  const data = document.paths['/api/v1/events']?.get?.responses['200']?.content
  const schemas = data?.['text/event-stream']?.['x-events'] ?? {}
  const stream = await fetch(`${url}/api/v1/events`, {
    headers: { authorization: `Bearer ${TOKEN}`, 'last-event-id': 'of-another-start' },
    signal: leave.signal,
  })
  const failures: unknown[] = []
  const listening = listen(stream, (name, value) => {
    events.add(name)
    given.add('GET /api/v1/events 200')
    const schema = schemas[name]
    assert.ok(schema !== undefined, `the event ${name} is not in the document`)
    hold(schema, value, name)
  }).catch((error: unknown) => {
    if (!leave.signal.aborted) failures.push(error)
  })

  return {
    url,
    documented,
    given,
    events,
    get shutdowns() {
      return shutdowns
    },
    call: async (method, path, call = {}) => {
      const { params = [], query = '', json, body, headers = {}, status = 200 } = call
      const places = [...params]
      const asked = path.replace(/\{\w+\}/g, () => encodeURIComponent(places.shift() ?? ''))
      const sent = json === undefined ? body : JSON.stringify(json)
      const reply = await ask(`${url}${asked}${query}`, {
        method,
        headers: {
          authorization: `Bearer ${TOKEN}`,
          ...(json === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(sent === undefined ? {} : { body: sent }),
      })
      assert.equal(reply.status, status, `${method} ${asked}: ${reply.text.slice(0, 500)}`)
      check(method, path, reply)
      return reply
    },
    stop: async () => {
      leave.abort()
      await listening
      await server.stop()
      assert.deepEqual(failures, [])
    },
  }
}

async function listen(
  { body }: Response,
  told: (name: string, value: unknown) => void,
): Promise<void> {
  let text = ''
  for await (const part of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block)?.[1]
      const data = /^data: (.*)$/m.exec(block)?.[1]
      if (name !== undefined && data !== undefined) told(name, JSON.parse(data))
    }
  }
}

/** `schema` with every object closed that does not say that it is open: a field that is not described is a failure. */
function closed(schema: object): object {
  if (Array.isArray(schema)) return schema.map((entry) => closedValue(entry))
  const copy = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, closedValue(value)]),
  )
  const object = copy.type === 'object' && !('additionalProperties' in copy)
  return object ? { ...copy, additionalProperties: false } : copy
}

function closedValue(value: unknown): unknown {
  return value !== null && typeof value === 'object' ? closed(value) : value
}
