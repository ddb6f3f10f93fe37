import assert from 'node:assert/strict'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { DeviceId, NetworkId } from '../../../src/chain/ids.ts'
import { systemClock } from '../../../src/common/clock.ts'
import { decodeInvite } from '../../../src/common/invite-code.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { createFrames } from '../../../src/network/frames.ts'
import { createHost, type Host } from '../../../src/network/host.ts'
import {
  decodeAnswer,
  encodeQuestion,
  MAX_PAIR_FRAME_BYTES,
  PAIR_PROTOCOL,
} from '../../../src/network/pair/messages.ts'
import type { CairnNode } from '../../../src/node/node.ts'
import { until } from '../network/nodes.ts'
import { addressOf, createPeopleNetwork, type PeopleNetwork, settled } from './network-of-people.ts'

describe('a hostile guest', function () {
  this.timeout(60_000)
  let people: PeopleNetwork
  let ada: CairnNode
  const hosts: Host[] = []

  before(async () => {
    people = await createPeopleNetwork()
    ada = await people.start('Ada')
    await settled(ada)
  })
  afterEach(() => Promise.all(hosts.splice(0).map((host) => host.stop())))
  after(() => people.end())

  const guest = async (code?: string): Promise<Host> => {
    const { secret } = decodeInvite(code ?? (await ada.invites.create({ kind: 'member' })).code)
    const decisions = { admit: () => true }
    const network = ada.identity.network as NetworkId
    const components = { keySeed: secret, decisions, logger: silentLogger }
    const host = await createHost(components, { network, listen: [] })
    hosts.push(host)
    await host.start()
    await host.libp2p.dial(multiaddr(addressOf(ada)))
    return host
  }
  const connections = (host: Host) =>
    host.libp2p
      .getConnections(peerIdFromString(ada.identity.device))
      .filter(({ status }) => status === 'open')
  const pairStream = async (host: Host) => {
    const [connection] = connections(host)
    assert.ok(connection)
    return connection.newStream(PAIR_PROTOCOL, { maxOutboundStreams: 1000 })
  }

  for (const [name, bytes] of [
    ['what is no question', Uint8Array.of(0, 0, 0, 3, 1, 2, 3)],
    ['a question that does not end', Uint8Array.of(0xff, 0xff, 0xff, 0xff)],
  ] as const) {
    it(`${name} ends the stream`, async () => {
      const host = await guest()
      const stream = await pairStream(host)
      stream.send(bytes)
      await until(() => stream.status !== 'open', 'the stream is over')
    })
  }

  it('what is no question shuts the key out for a time', async () => {
    const { code } = await ada.invites.create({ kind: 'member' })
    const host = await guest(code)
    const stream = await pairStream(host)
    stream.send(Uint8Array.of(0, 0, 0, 3, 1, 2, 3))
    await until(() => connections(host).length === 0, 'it is out')
    await host.libp2p.dial(multiaddr(addressOf(ada))).catch(() => {})
    await until(() => connections(host).length === 0, 'it stays out')
  })

  it('many streams get few answers', async () => {
    const host = await guest()
    let answers = 0
    let refusals = 0
    for (let at = 0; at < 40; at += 1) {
      try {
        const stream = await pairStream(host)
        const signal = AbortSignal.timeout(2000)
        const limits = { clock: systemClock, maxFrameBytes: MAX_PAIR_FRAME_BYTES, signal }
        const frames = createFrames(stream, limits)
        await frames.write(encodeQuestion({ type: 'hello', network: null }), 1000)
        const frame = await frames.read(1000)
        if (frame === undefined) refusals += 1
        else if (decodeAnswer(frame).type === 'here') answers += 1
        await frames.close()
      } catch {
        refusals += 1
      }
    }
    assert.ok(answers >= 5 && answers <= 15, `${answers} answers`)
    assert.equal(answers + refusals, 40)
  })

  it('many connections of one key, and of many keys, leave room for members', async () => {
    const first = await guest()
    const dials = Array.from({ length: 12 }, () =>
      first.libp2p.dial(multiaddr(addressOf(ada)), { force: true }).catch(() => undefined),
    )
    await Promise.all(dials)
    await until(() => connections(first).length <= 4, 'one key has four at most')
    const others: Host[] = []
    for (let at = 0; at < 10; at += 1) others.push(await guest())
    const open = (): number =>
      [first, ...others].reduce((sum, one) => sum + connections(one).length, 0)
    await until(() => open() <= 8, 'guests have eight at most')
    await Promise.all(hosts.splice(0).map((host) => host.stop()))
    const { code } = await ada.invites.create({ kind: 'member' })
    await people.join('Ben', code)
    const ben = await people.start('Ben')
    await settled(ada, ben)
    assert.ok(ada.peers.list().some(({ device }) => device === (ben.identity.device as DeviceId)))
  })
})
