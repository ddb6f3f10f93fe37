/**
 * The state as the rules see it: keys (ASCII text) and values (canonical DAG-CBOR bytes).
 *
 * owns: reading through a block's own changes, and the net change of each key, from which undo is exact
 * does not own: what keys and values mean (state/), where they are stored (storage/)
 */
import { equalBytes } from '../common/bytes.ts'

export interface StateView {
  get(key: string): Uint8Array | undefined
  /** Entries whose key begins with `prefix`, in byte order of keys. */
  list(prefix: string): Iterable<readonly [string, Uint8Array]>
}

/** What happened to one key. Undefined: no such key. */
export interface Change {
  readonly key: string
  readonly before: Uint8Array | undefined
  readonly after: Uint8Array | undefined
}

/** How values of one family of keys are written. */
export interface ValueCodec<T> {
  encode(value: T): Uint8Array
  decode(bytes: Uint8Array): T
}

/** A view with changes on top; the view below is not touched. */
export interface Overlay extends StateView {
  put(key: string, bytes: Uint8Array): void
  delete(key: string): void
  /** The decoded value; decoded once for as long as the overlay lives. Not to be changed in place. */
  read<T>(key: string, codec: ValueCodec<T>): T | undefined
  /** Like `put`; encoded once, when somebody asks for the bytes. */
  write<T>(key: string, codec: ValueCodec<T>, value: T): void
  /** Like `write`, for a key that the caller knows is not there: saves a look at the view below. */
  create<T>(key: string, codec: ValueCodec<T>, value: T): void
  /** Net changes in byte order of keys; a key that ends as it began is not among them. */
  changes(): Change[]
}

interface Cell {
  before: Uint8Array | undefined
  /** The present bytes; meaningless while `stale`. */
  bytes: Uint8Array | undefined
  value: unknown
  hasValue: boolean
  codec: ValueCodec<unknown> | undefined
  stale: boolean
  changed: boolean
}

export function createOverlay(base: StateView): Overlay {
  const cells = new Map<string, Cell>()
  // Changed keys of three parts and more by all but their last part, so that `list` need not look at all.
  const groups = new Map<string, string[]>()

  const touch = (key: string, cell: Cell): void => {
    if (cell.changed) return
    cell.changed = true
    const group = groupOf(key)
    if (group === undefined) return
    const members = groups.get(group)
    if (members === undefined) groups.set(group, [key])
    else members.push(key)
  }

  const cellOf = (key: string): Cell => {
    let cell = cells.get(key)
    if (cell === undefined) {
      cell = blank(base.get(key))
      cells.set(key, cell)
    }
    return cell
  }

  const set = (key: string, bytes: Uint8Array | undefined): void => {
    const cell = cellOf(key)
    touch(key, cell)
    cell.bytes = bytes
    cell.value = undefined
    cell.hasValue = false
    cell.stale = false
  }

  const assign = <T>(key: string, cell: Cell, codec: ValueCodec<T>, value: T): void => {
    touch(key, cell)
    cell.value = value
    cell.hasValue = true
    cell.codec = codec as ValueCodec<unknown>
    cell.stale = true
  }

  return {
    get: (key) => bytesOf(cellOf(key)),
    list: (prefix) => {
      const entries = new Map<string, Uint8Array>()
      for (const [key, bytes] of base.list(prefix)) entries.set(key, bytes)
      const candidates = isGroup(prefix) ? (groups.get(prefix) ?? []) : cells.keys()
      for (const key of candidates) {
        const cell = cells.get(key)
        if (cell === undefined || !cell.changed || !key.startsWith(prefix)) continue
        const bytes = bytesOf(cell)
        if (bytes === undefined) entries.delete(key)
        else entries.set(key, bytes)
      }
      return [...entries].sort(([a], [b]) => compareKeys(a, b))
    },
    put: set,
    delete: (key) => set(key, undefined),
    read: <T>(key: string, codec: ValueCodec<T>): T | undefined => {
      const cell = cellOf(key)
      if (!cell.hasValue) {
        cell.value = cell.bytes === undefined ? undefined : codec.decode(cell.bytes)
        cell.hasValue = true
      }
      return cell.value as T | undefined
    },
    write: (key, codec, value) => assign(key, cellOf(key), codec, value),
    create: (key, codec, value) => {
      let cell = cells.get(key)
      if (cell === undefined) {
        cell = blank(undefined)
        cells.set(key, cell)
      }
      assign(key, cell, codec, value)
    },
    changes: () => {
      const changes: Change[] = []
      // Not `for … of`: it makes a list of two for each of the many cells.
      cells.forEach((cell, key) => {
        if (!cell.changed) return
        const { before } = cell
        const after = bytesOf(cell)
        const same =
          before === undefined || after === undefined ? before === after : equalBytes(before, after)
        if (!same) changes.push({ key, before, after })
      })
      return changes.sort((a, b) => compareKeys(a.key, b.key))
    },
  }
}

/** The value of a key in any view; an overlay answers from what it has decoded before. */
export function readValue<T>(view: StateView, key: string, codec: ValueCodec<T>): T | undefined {
  if (isOverlay(view)) return view.read(key, codec)
  const bytes = view.get(key)
  return bytes === undefined ? undefined : codec.decode(bytes)
}

/** A view of a map, for tests and tools. */
export function createMapView(map: ReadonlyMap<string, Uint8Array>): StateView {
  return {
    get: (key) => map.get(key),
    list: (prefix) => {
      const entries: (readonly [string, Uint8Array])[] = []
      for (const entry of map) if (entry[0].startsWith(prefix)) entries.push(entry)
      return entries.sort(([a], [b]) => compareKeys(a, b))
    },
  }
}

/** Puts `changes` into `map`, or takes them back. */
export function applyChanges(
  map: Map<string, Uint8Array>,
  changes: readonly Change[],
  direction: 'apply' | 'undo' = 'apply',
): void {
  for (const { key, before, after } of changes) {
    const value = direction === 'apply' ? after : before
    if (value === undefined) map.delete(key)
    else map.set(key, value)
  }
}

/** `a/b/` of `a/b/c`; undefined for a key of one or two parts. */
function groupOf(key: string): string | undefined {
  const last = key.lastIndexOf('/')
  return last > 0 && key.lastIndexOf('/', last - 1) >= 0 ? key.slice(0, last + 1) : undefined
}

/** Whether every key with this prefix and one more part is in the group of that name. */
function isGroup(prefix: string): boolean {
  return prefix.endsWith('/') && groupOf(prefix) === prefix
}

/** Byte order; keys are ASCII. */
function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function isOverlay(view: StateView): view is Overlay {
  return 'read' in view && 'changes' in view
}

function blank(bytes: Uint8Array | undefined): Cell {
  return {
    before: bytes,
    bytes,
    value: undefined,
    hasValue: false,
    codec: undefined,
    stale: false,
    changed: false,
  }
}

function bytesOf(cell: Cell): Uint8Array | undefined {
  if (cell.stale) {
    cell.bytes = cell.codec?.encode(cell.value)
    cell.stale = false
  }
  return cell.bytes
}
