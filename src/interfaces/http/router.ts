/** Finds the route of a path. A few dozen routes: a list per number of segments is as fast as any tree. */
import { interfaceError } from '../errors.ts'
import type { Route } from './route.ts'

export interface Found {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

export interface Router {
  /** HEAD finds GET. @throws ROUTE_NOT_FOUND, METHOD_NOT_ALLOWED, PATH_INVALID */
  find(method: string, path: string): Found
}

export function createRouter(routes: readonly Route[]): Router {
  const byLength = new Map<number, { route: Route; segments: readonly string[] }[]>()
  for (const route of routes) {
    const segments = route.path.split('/').slice(1)
    const list = byLength.get(segments.length) ?? []
    byLength.set(segments.length, list)
    list.push({ route, segments })
  }
  return {
    find: (method, path) => {
      const parts = path.split('/').slice(1)
      const fitting = (byLength.get(parts.length) ?? []).filter(({ segments }) =>
        segments.every((segment, index) => segment.startsWith(':') || segment === parts[index]),
      )
      // The one with the most fixed segments speaks: /records/pending before /records/:id.
      const fixed = ({ segments }: { segments: readonly string[] }): number =>
        segments.filter((segment) => !segment.startsWith(':')).length
      fitting.sort((a, b) => fixed(b) - fixed(a))
      if (fitting.length === 0) throw interfaceError('ROUTE_NOT_FOUND', { path: short(path) })
      const wanted = method === 'HEAD' ? 'GET' : method
      const match = fitting.find(({ route }) => route.method === wanted)
      if (match === undefined) {
        const allowed = [...new Set(fitting.map(({ route }) => route.method))].join(', ')
        throw interfaceError('METHOD_NOT_ALLOWED', {
          method: short(method),
          path: short(path),
          allowed,
        })
      }
      const params: Record<string, string> = {}
      for (const [index, segment] of match.segments.entries()) {
        if (segment.startsWith(':')) params[segment.slice(1)] = decodeSegment(parts[index] ?? '')
      }
      return { route: match.route, params }
    },
  }
}

/** One decoded segment of a path. @throws PATH_INVALID */
export function decodeSegment(text: string): string {
  let decoded: string
  try {
    decoded = decodeURIComponent(text)
  } catch {
    throw interfaceError('PATH_INVALID', {
      path: short(text),
      why: 'its % signs are not followed by two hexadecimal digits of UTF-8',
    })
  }
  if (decoded === '')
    throw interfaceError('PATH_INVALID', { path: '(empty)', why: 'a part is missing' })
  return decoded
}

/** Letters of a path that an error repeats. */
const SHORT = 120

function short(text: string): string {
  return text.length > SHORT ? `${text.slice(0, SHORT)}…` : text
}
