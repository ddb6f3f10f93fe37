/** The OpenAPI document (3.1), made from the routes themselves. */
import type { Route } from './route.ts'

const ERROR = {
  description: 'What happened, why, and what to do',
  content: {
    'application/json': {
      schema: {
        type: 'object',
        required: ['error'],
        properties: {
          error: {
            type: 'object',
            required: ['code', 'message', 'details'],
            properties: {
              code: { type: 'string' },
              message: { type: 'string' },
              details: { type: 'object' },
            },
          },
        },
      },
    },
  },
}

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
        'The HTTP API of one node. Times are milliseconds since 1970 UTC, sizes bytes, hashes hexadecimal, weights and reputation thousandths.',
    },
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
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
      [gives.status]: { description: gives.says, content: { [gives.type]: {} } },
      default: ERROR,
    },
  }
}
