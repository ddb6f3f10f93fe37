/**
 * JSON as Python's `json.dumps` writes it, whose users read these files: other signs than ASCII escaped, floats
 * with a point, and with `indent=2` or in one line.
 */

/** A Python float. */
export interface Float {
  readonly float: number
}
export type PythonValue =
  | null
  | boolean
  | number
  | string
  | Float
  | readonly PythonValue[]
  | ReadonlyMap<string, PythonValue>

export function float(value: number): Float {
  return { float: value }
}

/** A dict in this order. */
export function dict(
  entries: Readonly<Record<string, PythonValue>>,
): ReadonlyMap<string, PythonValue> {
  return new Map(Object.entries(entries))
}

/** @param indent - false: one line, keys sorted (`sort_keys=True`) */
export function pythonJson(value: PythonValue, indent: boolean): string {
  return write(value, indent, 0)
}

function write(value: PythonValue, indent: boolean, depth: number): string {
  if (typeof value === 'string') return quoted(value)
  if (value === null || typeof value !== 'object') return String(value)
  if ('float' in value) return Number.isInteger(value.float) ? `${value.float}.0` : `${value.float}`
  if (value instanceof Map) {
    const entries = [...(value as ReadonlyMap<string, PythonValue>)]
    if (!indent) entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    const items = entries.map(
      ([key, entry]) => `${quoted(key)}: ${write(entry, indent, depth + 1)}`,
    )
    return bracket('{', items, '}', indent, depth)
  }
  const items = (value as readonly PythonValue[]).map((entry) => write(entry, indent, depth + 1))
  return bracket('[', items, ']', indent, depth)
}

function bracket(
  open: string,
  items: readonly string[],
  close: string,
  indent: boolean,
  depth: number,
): string {
  if (items.length === 0) return open + close
  if (!indent) return open + items.join(', ') + close
  const line = `\n${'  '.repeat(depth)}`
  return `${open}${line}  ${items.join(`,${line}  `)}${line}${close}`
}

function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
