/** The OpenAPI document (3.1), made from the routes themselves. */
import { NDJSON } from './progress.ts'
import { ref } from './replies/describe.ts'
import { eventSchemas, lineSchema, replyComponents, replySchema } from './replies/replies.ts'
import type { Route } from './route.ts'

const EVENTS = 'text/event-stream'

export function openApiOf(routes: readonly Route[], version: string): unknown {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Cairn',
      version,
      description:
        'The HTTP API of one node. Times are milliseconds since 1970 UTC, sizes bytes, hashes hexadecimal, weights and reputation thousandths. New fields may come; what is not known is null.',
    },
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: replyComponents(),
    },
    security: [{ token: [] }],
    paths,
  }
}

function operationOf(route: Route): unknown {
  const { gives, query, body, consumes } = route
  const names = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name)
  const required = new Set(query?.required ?? [])
  const parameters = [
    ...names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
    ...Object.entries(query?.properties ?? {}).map(([name, schema]) => ({
      name,
      in: 'query',
      required: required.has(name),
      schema,
    })),
  ]
  const bytes = { schema: { type: 'string', format: 'binary' } }
  const content =
    body === undefined
      ? Object.fromEntries(consumes.map((type) => [type, bytes]))
      : { 'application/json': { schema: body } }
  return {
    summary: route.summary,
    ...(route.open ? { security: [] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(Object.keys(content).length === 0 ? {} : { requestBody: { required: true, content } }),
    responses: {
      [gives.status]: { description: gives.says, content: contentOf(gives) },
      ...progressOf(gives),
      ...Object.fromEntries(
        Object.entries(gives.also).map(([status, description]) => [status, { description }]),
      ),
      default: {
        description: 'What happened, why, and what to do',
        content: { 'application/json': { schema: ref('Error') } },
      },
    },
  }
}

/** Of events `x-events` has a schema for each name's data. */
function contentOf({ reply, type }: Route['gives']): unknown {
  if (reply !== undefined) return { [type]: { schema: replySchema(reply) } }
  return { [type]: type === EVENTS ? { 'x-events': eventSchemas() } : {} }
}

/** The schema of lines of JSON is that of one line. They say 200 before they know how it ends. */
function progressOf({ reply, status, type, says, progress }: Route['gives']): object {
  if (!progress || reply === undefined) return {}
  const schema = replySchema(reply)
  const lines = { [NDJSON]: { schema: lineSchema(schema) } }
  if (status !== 200) return { 200: { description: 'lines of progress', content: lines } }
  return { 200: { description: says, content: { [type]: { schema }, ...lines } } }
}
