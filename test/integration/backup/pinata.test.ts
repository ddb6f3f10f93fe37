import assert from 'node:assert/strict'
import { systemClock } from '../../../src/common/clock.ts'
import type { Destination } from '../../../src/services/backup/destination.ts'
import type { StoredCid } from '../../../src/services/backup/destinations/cids.ts'
import {
  createPinataDestination,
  type PinataInit,
} from '../../../src/services/backup/destinations/pinata.ts'
import { destinationSuite } from '../../contract/destination.ts'
import { cidOf, PINATA_KEYS, type PinataServer, startPinata } from '../../helpers/backup/pinata.ts'

const never = new AbortController().signal
const bytes = Uint8Array.of(1, 2, 3)

function open(server: PinataServer, init: Partial<PinataInit> = {}): Destination {
  const url = new URL(server.origin)
  return createPinataDestination(
    { clock: systemClock },
    { name: 'pinata', key: { jwt: PINATA_KEYS.jwt }, api: url, gateway: url, ...init },
  )
}

describe('backups at Pinata', () => {
  let server: PinataServer
  const destinations: Destination[] = []
  const opened = (init: Partial<PinataInit> = {}): Destination => {
    const destination = open(server, init)
    destinations.push(destination)
    return destination
  }

  beforeEach(async () => {
    server = await startPinata()
  })
  afterEach(async () => {
    for (const each of destinations.splice(0)) await each.close()
    await server.stop()
  })

  destinationSuite('Pinata', async () => ({
    destination: open(server),
    again: async () => open(server),
    end: async () => {},
  }))

  it('takes a key and a secret as well as a token', async () => {
    const { key, secret } = PINATA_KEYS
    const at = opened({ key: { key, secret } })
    await at.put('a/b', bytes, { signal: never })
    assert.deepEqual(await at.get('a/b', never), bytes)
    for (const wrong of [{ key, secret: 'other' }, { jwt: 'other' }]) {
      const stranger = opened({ key: wrong })
      await assert.rejects(stranger.put('a/b', bytes, { signal: never }), {
        code: 'DESTINATION_REFUSED',
        message: /INVALID_(?:API_KEYS|CREDENTIALS)/,
      })
    }
  })

  it('names backups as people look for them, and gives CID and link to be kept', async () => {
    const kept: StoredCid[] = []
    const at = opened({ onStored: async (stored) => void kept.push(stored) })
    await at.put('net/one', bytes, { signal: never })
    const cid = cidOf(bytes)
    const link = `${server.origin}/ipfs/${cid}`
    assert.equal(kept.length, 1)
    assert.deepEqual({ ...kept[0], stored: 0 }, { name: 'net/one', cid, link, size: 3, stored: 0 })
    assert.match(server.pins.get(cid)?.metadata.name ?? '', /^blockchain_backup_\d{8}_\d{6}$/)
    assert.deepEqual(server.content.get(cid), Buffer.from(bytes))
  })

  it('counts an object as stored only when its CID is kept', async () => {
    const at = opened({ onStored: () => Promise.reject(new Error('the disk is full')) })
    await assert.rejects(at.put('a/b', bytes, { signal: never }), /the disk is full/)
  })

  it('keeps the same bytes under two names apart', async () => {
    const at = opened()
    await at.put('net/one', bytes, { signal: never })
    await at.put('net/two', bytes, { signal: never })
    await at.remove('net/one', never)
    assert.deepEqual(await at.get('net/two', never), bytes)
    assert.deepEqual(
      (await at.list('', never)).map(({ name }) => name),
      ['net/two'],
    )
  })

  it('D5 unpins what it replaces', async () => {
    const at = opened()
    await at.put('a/b', bytes, { signal: never })
    await at.put('a/b', Uint8Array.of(4), { signal: never })
    assert.deepEqual([...server.pins.keys()], [cidOf(Uint8Array.of(4))])
  })

  it('notices a gateway that gives other bytes, or does not find them', async () => {
    const at = opened()
    await at.put('a/b', bytes, { signal: never })
    server.content.set(cidOf(bytes), Buffer.of(1, 2, 4))
    await assert.rejects(at.get('a/b', never), { code: 'DESTINATION_DIFFERS' })
    server.content.clear()
    await assert.rejects(at.get('a/b', never), { code: 'DESTINATION_UNREACHABLE' })
  })
})
