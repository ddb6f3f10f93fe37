import assert from 'node:assert/strict'
import { type Clock, systemClock } from '../../../src/common/clock.ts'
import type { Destination } from '../../../src/services/backup/destination.ts'
import {
  createPinningServiceDestination,
  type IpfsContent,
  type PinningServiceInit,
} from '../../../src/services/backup/destinations/pinning-service.ts'
import { destinationSuite } from '../../contract/destination.ts'
import { cidOf } from '../../helpers/backup/pinata.ts'
import { type PinningServer, startPinning } from '../../helpers/backup/pinning.ts'

const never = new AbortController().signal
const bytes = Uint8Array.of(1, 2, 3)
const ORIGIN = '/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWExample'
const DELEGATE = '/ip4/127.0.0.1/tcp/4002/p2p/12D3KooWDelegate'

/** Waits a fiftieth of the time: the service is in the same process. */
const hasty: Clock = { ...systemClock, after: (ms, run) => systemClock.after(ms / 50, run) }

/** Content that is there while it is provided. */
function providing(): IpfsContent & { readonly there: Map<string, Uint8Array>; dialled: string[] } {
  const there = new Map<string, Uint8Array>()
  const uses = new Map<string, number>()
  const dialled: string[] = []
  return {
    there,
    dialled,
    provide: async (content) => {
      const cid = cidOf(content)
      there.set(cid, content)
      uses.set(cid, (uses.get(cid) ?? 0) + 1)
      const release = async (): Promise<void> => {
        const left = (uses.get(cid) ?? 1) - 1
        uses.set(cid, left)
        if (left === 0) there.delete(cid)
      }
      return { cid, origins: [ORIGIN], release }
    },
    connect: async (addresses) => {
      dialled.push(...addresses)
    },
  }
}

describe('backups at a pinning service', () => {
  let content: ReturnType<typeof providing>
  let server: PinningServer
  const destinations: Destination[] = []

  const open = (init: Partial<PinningServiceInit> = {}): Destination => {
    const url = new URL(server.origin)
    return createPinningServiceDestination(
      { clock: hasty, content },
      { name: 'pinning test', endpoint: url, token: 'pinning-token', gateway: url, ...init },
    )
  }
  const opened = (init: Partial<PinningServiceInit> = {}): Destination => {
    const destination = open(init)
    destinations.push(destination)
    return destination
  }

  beforeEach(async () => {
    content = providing()
    server = await startPinning({
      token: 'pinning-token',
      delegates: [DELEGATE],
      page: 7,
      fetchFrom: async (cid, origins) =>
        origins[0] === ORIGIN ? content.there.get(cid) : undefined,
    })
  })
  afterEach(async () => {
    for (const each of destinations.splice(0)) await each.close()
    await server.stop()
  })

  destinationSuite('Pinning Service API', async () => ({
    destination: open(),
    again: async () => open(),
    end: async () => {},
  }))

  it('provides the content until it is pinned, and connects to the nodes that fetch it', async () => {
    const at = opened()
    await at.put('net/one', bytes, { signal: never })
    assert.deepEqual(content.dialled, [DELEGATE])
    assert.equal(content.there.size, 0, 'it is not provided any longer')
    const [row] = server.pins.values()
    assert.equal(row?.status, 'pinned')
    assert.equal(row.pin.name, 'net/one')
  })

  it('gives up a pin that the service cannot fetch', async () => {
    content.provide = async (some) => ({
      cid: cidOf(some),
      origins: [ORIGIN],
      release: async () => {},
    })
    const at = opened()
    await assert.rejects(at.put('net/one', bytes, { signal: never }), {
      code: 'DESTINATION_FAILED',
    })
    assert.equal(server.pins.size, 0)
  })

  it('stops waiting for a pin when it is told to', async () => {
    await server.stop()
    server = await startPinning({
      token: 'pinning-token',
      delegates: [],
      fetchFrom: () => new Promise(() => {}),
    })
    const reason = new Error('the deadline')
    const controller = new AbortController()
    const at = opened()
    const storing = at.put('net/one', bytes, { signal: controller.signal })
    setTimeout(() => controller.abort(reason), 100)
    await assert.rejects(storing, reason)
    assert.equal(content.there.size, 0)
    await assert.rejects(at.get('net/one', never), { code: 'OBJECT_NOT_FOUND' })
  })

  it('keeps what it replaces until the new one is pinned', async () => {
    const at = opened()
    await at.put('net/one', bytes, { signal: never })
    await at.put('net/one', Uint8Array.of(4), { signal: never })
    assert.deepEqual(
      [...server.pins.values()].map(({ pin }) => pin.cid),
      [cidOf(Uint8Array.of(4))],
    )
  })

  it('refuses a wrong token', async () => {
    const at = opened({ token: 'other' })
    await assert.rejects(at.put('a', bytes, { signal: never }), {
      code: 'DESTINATION_REFUSED',
      message: /UNAUTHORIZED/,
    })
  })

  it('notices a gateway that gives other bytes', async () => {
    const at = opened()
    await at.put('a/b', bytes, { signal: never })
    server.content.set(cidOf(bytes), Uint8Array.of(9))
    await assert.rejects(at.get('a/b', never), { code: 'DESTINATION_DIFFERS' })
  })
})
