/** A backup destination in memory that can be damaged, slow and away. */
import type { Destination, DestinationKind } from '../../src/services/backup/destination.ts'
import { backupError } from '../../src/services/backup/errors.ts'

export interface MemoryDestination extends Destination {
  readonly objects: Map<string, { bytes: Uint8Array; stored: number }>
  /** Names of what was put, oldest first. */
  readonly puts: string[]
  readonly gets: string[]
  /** Called before each call: throws, or waits. */
  before: (call: 'put' | 'get' | 'list' | 'remove', name: string) => Promise<void> | void
  closed: boolean
}

export function createMemoryDestination(
  init: { kind?: DestinationKind; name?: string; now?: () => number } = {},
): MemoryDestination {
  const { kind = 'folder', name = 'memory', now = Date.now } = init
  const objects: MemoryDestination['objects'] = new Map()
  const destination: MemoryDestination = {
    kind,
    name,
    objects,
    puts: [],
    gets: [],
    before: () => {},
    closed: false,
    put: async (object, bytes) => {
      await destination.before('put', object)
      destination.puts.push(object)
      objects.set(object, { bytes: Uint8Array.from(bytes), stored: now() })
    },
    get: async (object) => {
      await destination.before('get', object)
      destination.gets.push(object)
      const found = objects.get(object)
      if (found === undefined) {
        throw backupError('OBJECT_NOT_FOUND', { destination: name, name: object })
      }
      return Uint8Array.from(found.bytes)
    },
    list: async (prefix) => {
      await destination.before('list', prefix)
      return [...objects]
        .filter(([object]) => object.startsWith(prefix))
        .map(([object, { bytes, stored }]) => ({ name: object, size: bytes.length, stored }))
    },
    remove: async (object) => {
      await destination.before('remove', object)
      objects.delete(object)
    },
    close: async () => {
      destination.closed = true
    },
  }
  return destination
}
