import assert from 'node:assert/strict'
import { parseAddress } from '../../../src/network/address.ts'
import { createBans } from '../../../src/network/bans.ts'
import { createPeerBook, MAX_PEERS } from '../../../src/network/peer-book.ts'
import { createTokenBuckets } from '../../../src/network/token-bucket.ts'
import { fakeDevice } from './fake-chain.ts'
import { createVirtualClock } from './virtual-clock.ts'

describe('token buckets', () => {
  it('give what they hold, and fill with time', async () => {
    const clock = createVirtualClock()
    const buckets = createTokenBuckets({ clock }, { capacity: 10, perSecond: 5, peers: 2 })
    assert.equal(buckets.take('a', 10), true)
    assert.equal(buckets.take('a'), false)
    assert.equal(buckets.take('b'), true)
    await clock.advance(1000)
    assert.equal(buckets.take('a', 5), true)
    assert.equal(buckets.take('a'), false)
  })
})

describe('bans', () => {
  it('end, and are longer each time', async () => {
    const clock = createVirtualClock()
    const bans = createBans({ clock })
    const first = bans.ban(fakeDevice(1))
    assert.equal(bans.isBanned(fakeDevice(1)), true)
    assert.equal(bans.isBanned(fakeDevice(2)), false)
    await clock.advance(first)
    assert.equal(bans.isBanned(fakeDevice(1)), false)
    assert.equal(bans.ban(fakeDevice(1)), 2 * first)
  })
})

describe('peer book', () => {
  it('keeps what was configured, whatever else comes', () => {
    const book = createPeerBook()
    book.learn(parseAddress(`/ip4/10.0.0.1/tcp/1/p2p/${fakeDevice(1)}`), 'configured')
    for (let port = 1; port <= MAX_PEERS * 2; port += 1) {
      book.learn(parseAddress(`/ip4/10.0.0.2/tcp/${port}`), 'inbound')
    }
    assert.equal([...book.peers].length, MAX_PEERS)
    assert.ok(book.of(fakeDevice(1)) !== undefined)
  })

  it('PEERS_FULL: more configured peers than it keeps', () => {
    const book = createPeerBook()
    const add = (port: number) => book.learn(parseAddress(`/ip4/10.0.0.2/tcp/${port}`), 'added')
    for (let port = 1; port <= MAX_PEERS; port += 1) add(port)
    assert.throws(() => add(MAX_PEERS + 1), { code: 'PEERS_FULL' })
  })

  it('keeps few addresses of a peer, the one that worked first', () => {
    const book = createPeerBook()
    for (let port = 1; port <= 100; port += 1) {
      book.learn(parseAddress(`/ip4/10.0.0.1/tcp/${port}/p2p/${fakeDevice(1)}`), 'inbound')
    }
    const peer = book.of(fakeDevice(1))
    assert.ok(peer !== undefined)
    book.reached(peer, fakeDevice(1), '/ip4/10.0.0.1/tcp/7777')
    assert.equal(peer.addresses[0], '/ip4/10.0.0.1/tcp/7777')
    assert.ok(peer.addresses.length <= 8)
  })

  it('joins an address without an id with the peer that it led to', () => {
    const book = createPeerBook()
    const known = book.learn(parseAddress(`/ip4/10.0.0.1/tcp/1/p2p/${fakeDevice(1)}`), 'inbound')
    const bare = book.learn(parseAddress('/dns/home.example/tcp/4005'), 'configured')
    assert.ok(bare !== undefined)
    assert.equal(book.reached(bare, fakeDevice(1), undefined), known)
    assert.deepEqual(known?.addresses, ['/ip4/10.0.0.1/tcp/1', '/dns/home.example/tcp/4005'])
    assert.equal(known?.source, 'configured')
    assert.equal([...book.peers].length, 1)
  })
})
