import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { peerIdFromString } from '@libp2p/peer-id'
import type { RecordId } from '../../../src/chain/ids.ts'
import type { SignedRecord } from '../../../src/chain/record.ts'
import { encode } from '../../../src/common/dag-cbor.ts'
import { decodeInvite } from '../../../src/common/invite-code.ts'
import { MIB } from '../../../src/common/limits.ts'
import { readNodeFile } from '../../../src/interfaces/client/node-file.ts'
import {
  decodeKeyAnswer,
  encodeKeyRequest,
  KEY_PROTOCOL,
} from '../../../src/network/key-release/messages.ts'
import { decodeAnswer, encodeQuestion, PAIR_PROTOCOL } from '../../../src/network/pair/messages.ts'
import { seedOf } from '../../helpers/chain-node.ts'
import { eventually } from '../../helpers/real-node.ts'
import { type ClosedNetwork, type Member, startClosedNetwork, WAIT_MS } from './closed-network.ts'
import { fileStatement, forgeBlock, forgeRecord } from './forge.ts'
import type { RawPeer } from './raw-peer.ts'
import type { Watched } from './watcher.ts'

/** Milliseconds in which a node that is attacked answers: it shares two cores with the attacker and other tests. */
const MAX_ANSWER_MS = 4000
/** Bytes that an attack may add beside what the garbage collector has not looked at yet. */
const MAX_GROWTH: number = 256 * MIB

const FILE_NAME = 'diagnosis of Ada.pdf'
const CONTENT = 'the content that nobody but Ada and Ben may read'
const MEMBER_NAMES = [
  'Ada Lovelace',
  'Ada Lovelace’s device',
  "Ada Lovelace's device",
  'Ben Bitdiddle',
]
/** Protocols of members. */
const MEMBERS_ONLY = [
  '/cairn/sync/1.0.0',
  '/cairn/transfer/1.0.0',
  KEY_PROTOCOL,
  '/ipfs/bitswap/1.2.0',
  '/meshsub/1.1.0',
  '/meshsub/1.2.0',
]

describe('a closed network under attack', function () {
  this.timeout(120_000)
  let network: ClosedNetwork
  let ben: Member
  let mallory: Member
  let file: RecordId
  let root: string
  let grant: RecordId
  const figures: string[] = []

  before(async () => {
    network = await startClosedNetwork()
    ben = await network.member('Ben Bitdiddle')
    mallory = await network.member('Mallory')
    const added = await network.addSecret(FILE_NAME, CONTENT)
    file = added.file
    root = added.root
    const path = `/api/v1/files/${file}/grants`
    const made = await network.call<{ grant: RecordId }>('POST', path, { user: 'Ben Bitdiddle' })
    grant = made.grant
    await eventually('the grant stands', WAIT_MS, () => network.confirmed(grant))
  })
  after(async () => {
    await network.end()
    process.stdout.write(`${figures.map((line) => `      ${line}\n`).join('')}`)
  })

  /** Runs an attack; the target has to answer meanwhile, and to stay small. */
  const survives = async (name: string, attack: () => Promise<void>): Promise<void> => {
    const seen: Watched = await network.under(attack)
    const growth = seen.rssMost - seen.rssBefore
    figures.push(
      `${name}: ${seen.answers} answers, slowest health ${seen.healthMs.toFixed(0)} ms, status ` +
        `${seen.statusMs.toFixed(0)} ms; memory ${(seen.rssBefore / MIB).toFixed(0)} MiB, ` +
        `+${(growth / MIB).toFixed(0)} MiB`,
    )
    assert.equal(seen.failures, 0)
    assert.ok(seen.answers > 0)
    assert.ok(seen.healthMs < MAX_ANSWER_MS, `health took ${seen.healthMs} ms`)
    assert.ok(seen.statusMs < MAX_ANSWER_MS, `status took ${seen.statusMs} ms`)
    assert.ok(growth < MAX_GROWTH, `${growth} bytes`)
  }
  const gotNothing = (peer: RawPeer, texts: readonly string[]): void => {
    const received = peer.received()
    for (const text of texts) assert.ok(!received.includes(text), `it was given "${text}"`)
  }
  const isSilent = async (peer: RawPeer): Promise<void> => {
    for (const protocol of MEMBERS_ONLY) {
      for (const request of [encode({ type: 'status' }), encodeKeyRequest({ access: file })]) {
        assert.equal(await peer.ask(protocol, request), undefined, protocol)
      }
    }
  }
  const heldNothing = (peer: RawPeer): void => {
    gotNothing(peer, [FILE_NAME, CONTENT, ...MEMBER_NAMES])
    const opened = peer.opened().filter((protocol) => MEMBERS_ONLY.includes(protocol))
    assert.deepEqual(opened, [], 'streams of the node to somebody who is no member')
  }
  const say = async (member: Member, statement: Parameters<Member['node']['publish']>[0]) => {
    await member.peer.pull(member.node.chain)
    const record = await member.node.publish(statement)
    await member.peer.gossip('records', record.bytes)
    await eventually('it is in the chain', WAIT_MS, () => network.confirmed(record.id))
    return record
  }
  const askKey = async (who: Member, access: RecordId): Promise<string> => {
    const answer = await who.peer.ask(KEY_PROTOCOL, encodeKeyRequest({ access }))
    if (answer === undefined) return 'silence'
    const given = decodeKeyAnswer(answer)
    return given.type === 'key' ? 'key' : `${given.code} ${given.reason ?? ''}`.trim()
  }

  describe('a stranger', () => {
    for (const encrypter of ['noise', 'tls'] as const) {
      it(`gets no connection and not a byte, by ${encrypter}`, async () => {
        const peer = await network.peer(seedOf(`stranger by ${encrypter}`), encrypter)
        assert.equal(await peer.connect(), false)
        assert.equal(peer.received().length, 0)
        heldNothing(peer)
      })
    }

    it('with a key that it made up for an invite', async () => {
      const peer = await network.peer(seedOf('an invite that nobody made'))
      assert.equal(await peer.connect(), false)
      assert.equal(peer.received().length, 0)
    })

    it('a flood of handshakes', async () => {
      const stranger = await network.peer(seedOf('stranger who dials'))
      await survives('handshakes of a stranger', async () => {
        for (let round = 0; round < 15; round += 1) {
          const dials = Array.from({ length: 10 }, () => stranger.connect())
          assert.deepEqual(new Set(await Promise.all(dials)), new Set([false]))
        }
      })
      assert.equal(stranger.received().length, 0)
    })

    it('sockets that say nothing keep no member out', async () => {
      const [, , host, , port] = network.address.split('/')
      const sockets: Socket[] = []
      try {
        await survives('half-open sockets', async () => {
          for (let at = 0; at < 400; at += 1) {
            sockets.push(connect(Number(port), host).on('error', () => {}))
          }
          await ben.peer.libp2p.hangUp(peerIdFromString(ben.peer.target))
          await eventually('Ben is connected again', 5000, () => ben.peer.connect())
        })
      } finally {
        for (const socket of sockets) socket.destroy()
      }
    })
  })

  describe('the key of an invite', () => {
    const hello = encodeQuestion({ type: 'hello', network: null })
    const told = async (peer: RawPeer, question = hello): Promise<string> => {
      const answer = await peer.ask(PAIR_PROTOCOL, question)
      if (answer === undefined) return 'silence'
      const given = decodeAnswer(answer)
      return given.type === 'refused' ? given.code : given.type
    }

    it('that is open: pairs, and everything else is silent, in every order and at every moment', async () => {
      const { code } = await network.invite()
      const peer = await network.peer(decodeInvite(code).secret)
      assert.equal(await peer.connect(), true)
      await isSilent(peer)
      assert.equal(await told(peer), 'here')
      await isSilent(peer)
      // Two heartbeats of gossip, and what members say meanwhile.
      await say(ben, fileStatement('said while a guest listens'))
      heldNothing(peer)
      await peer.stop()
    })

    it('before identify: streams in the moment at which the connection opens', async () => {
      const { code } = await network.invite()
      const peer = await network.peer(decodeInvite(code).secret)
      const tried = Promise.withResolvers<void>()
      peer.libp2p.addEventListener('connection:open', ({ detail }) => {
        const all = MEMBERS_ONLY.map(async (protocol) => {
          const stream = await detail.newStream(protocol, { maxOutboundStreams: 100 })
          stream.send(encode({ type: 'status' }))
        })
        void Promise.allSettled(all).then(() => tried.resolve())
      })
      assert.equal(await peer.connect(), true)
      await tried.promise
      await isSilent(peer)
      heldNothing(peer)
      await peer.stop()
    })

    it('that expired', async () => {
      const { code } = await network.invite(1)
      const peer = await network.peer(decodeInvite(code).secret)
      await peer.connect()
      assert.equal(await told(peer), 'INVITE_EXPIRED')
      await isSilent(peer)
      heldNothing(peer)
      await peer.stop()
    })

    it('that was cancelled', async () => {
      const { code, id } = await network.invite()
      await network.call('DELETE', `/api/v1/invites/${id}`)
      const peer = await network.peer(decodeInvite(code).secret)
      await peer.connect()
      assert.equal(await told(peer), 'INVITE_CANCELLED')
      await isSilent(peer)
      heldNothing(peer)
      await peer.stop()
    })

    it('that was used', async () => {
      const peer = await network.peer(decodeInvite(ben.code).secret)
      await peer.connect()
      const key = seedOf('a device that comes too late')
      const userKeys = { userKey: key, recoveryKey: key, restoreKey: key }
      const late = { device: key, encryptionKey: key, userKeys, signature: new Uint8Array(64) }
      assert.equal(await told(peer, encodeQuestion({ type: 'claims', ...late })), 'INVITE_USED')
      await isSilent(peer)
      heldNothing(peer)
      await peer.stop()
    })

    it('a flood of each', async () => {
      const expired = await network.peer(decodeInvite((await network.invite(1)).code).secret)
      const open = await network.peer(decodeInvite((await network.invite()).code).secret)
      await survives('guests: streams, questions and connections', async () => {
        for (const peer of [expired, open]) {
          for (let round = 0; round < 2; round += 1) {
            await peer.connect()
            const asked = MEMBERS_ONLY.concat(PAIR_PROTOCOL).flatMap((protocol) =>
              Array.from({ length: 40 }, () =>
                peer.stream(protocol).then(
                  (stream) => stream.send(hello),
                  () => {},
                ),
              ),
            )
            await Promise.allSettled(asked)
          }
        }
      })
      for (const peer of [expired, open]) {
        heldNothing(peer)
        await peer.stop()
      }
      await network.member('Carol after the flood')
    })
  })

  describe('a member', () => {
    it('asks for keys that it may not have: without a grant, and under somebody else’s', async () => {
      const bare = await say(mallory, { type: 'access', body: { version: file } })
      assert.equal(await askKey(mallory, bare.id), 'ACCESS_DENIED ACCESS_NO_GRANT')
      const other = await say(mallory, { type: 'access', body: { version: file, grant } })
      assert.equal(await askKey(mallory, other.id), 'ACCESS_DENIED ACCESS_OTHER_GRANT')
      assert.equal(await askKey(mallory, file), 'NOT_YOUR_ACCESS')
      assert.equal(await askKey(mallory, grant), 'NOT_YOUR_ACCESS')
    })

    it('replays another one’s access record', async () => {
      const access = await say(ben, { type: 'access', body: { version: file, grant } })
      assert.equal(await askKey(mallory, access.id), 'NOT_YOUR_ACCESS')
      await mallory.peer.gossip('records', access.bytes)
      assert.equal(await askKey(mallory, access.id), 'NOT_YOUR_ACCESS')
      assert.equal(await askKey(ben, access.id), 'key')
      assert.equal(await askKey(mallory, access.id), 'NOT_YOUR_ACCESS')
    })

    it('speaks for another one: no version, removal, revocation or key of Ada’s by Mallory', async () => {
      await mallory.peer.pull(mallory.node.chain)
      const { identity } = await network.call<{ identity: { user: string } }>(
        'GET',
        '/api/v1/status',
      )
      const { user } = identity
      const forged = [
        { type: 'file.remove', body: { file, parents: [file] } },
        { type: 'revoke', body: { grant } },
        { type: 'file.update', body: { ...fileStatement('forged').body, file, parents: [file] } },
      ] as const
      for (const statement of forged) {
        const record = forgeRecord(mallory.node, 'Mallory', { ...statement, user } as never)
        await mallory.peer.gossip('records', record.bytes)
      }
      await say(ben, fileStatement('after the forgeries'))
      const shown = await network.call<{ name: string; removed: boolean }>(
        'GET',
        `/api/v1/files/${file}`,
      )
      assert.deepEqual([shown.name, shown.removed], [FILE_NAME, false])
      const { items } = await network.call<{ items: { status: string }[] }>(
        'GET',
        `/api/v1/files/${file}/grants`,
      )
      assert.deepEqual(
        items.map(({ status }) => status),
        ['active'],
      )
    })

    it('equivocates: one of its records counts, and the node goes on', async () => {
      await mallory.peer.pull(mallory.node.chain)
      const twins = [1, 2, 3].map((time) => forgeRecord(mallory.node, 'Mallory', { time }))
      await Promise.all(twins.map(({ bytes }) => mallory.peer.gossip('records', bytes)))
      await eventually('one is in the chain', WAIT_MS, async () => {
        const found = await Promise.all(twins.map(({ id }) => network.confirmed(id)))
        return found.filter(Boolean).length === 1
      })
    })

    it('seals blocks with somebody else’s key, or as somebody else', async () => {
      await mallory.peer.pull(mallory.node.chain)
      await mallory.node.publish(fileStatement('sealed by nobody'))
      const forgeries = [
        { sealer: 'Ben Bitdiddle' },
        { header: { miner: mallory.node.params.founder } },
        { badSeal: true },
      ]
      const { height } = await tip()
      for (const forgery of forgeries) {
        const block = forgeBlock(mallory.node, 'Mallory', forgery)
        await mallory.peer.gossipBlock(block).catch(() => {})
        assert.equal(await network.confirmed(block.id), false)
      }
      await say(ben, fileStatement('after the seals'))
      assert.ok((await tip()).height > height)
    })

    it('a flood of each: questions about keys, replayed accesses, blocks, equivocation', async () => {
      const eve = await network.member('Eve')
      const grace = await network.member('Grace')
      const access = await say(ben, { type: 'access', body: { version: file, grant } })
      await survives('questions about keys', async () => {
        const answers = await Promise.all(
          Array.from({ length: 600 }, (_, at) => askKey(eve, at % 2 === 0 ? access.id : file)),
        )
        assert.ok(!answers.includes('key'))
      })
      await survives('replayed accesses', async () => {
        for (let at = 0; at < 500; at += 1) await eve.peer.gossip('records', access.bytes)
      })
      await grace.peer.pull(grace.node.chain)
      await grace.node.publish(fileStatement('for a block'))
      const block = forgeBlock(grace.node, 'Grace', { sealer: 'Ben Bitdiddle' })
      await survives('blocks sealed with another key', async () => {
        for (let at = 0; at < 300 && grace.peer.connected(); at += 1) {
          const header = Uint8Array.from(block.header)
          new DataView(header.buffer, header.byteOffset).setBigUint64(header.length - 8, BigInt(at))
          await grace.peer.gossipBlock({ header, body: block.body }).catch(() => {})
        }
      })
      await eve.peer.pull(eve.node.chain)
      const own = eve.node.store.ownNewest(eve.node.device)?.record as SignedRecord
      await survives('equivocation', async () => {
        for (let time = 1; time <= 2000; time += 1) {
          const record = forgeRecord(eve.node, 'Eve', {
            time,
            sequence: own.sequence + 1,
            previous: own.id,
          })
          await eve.peer.gossip('records', record.bytes)
        }
      })
      await say(ben, fileStatement('after the floods'))
    })

    it('knows no more than members know: no name, no byte of a private file', async () => {
      for (const { peer } of [ben, mallory]) {
        assert.ok(peer.received().length > 1000)
        gotNothing(peer, [FILE_NAME, CONTENT])
      }
      assert.ok(
        mallory.peer.received().includes('Ada Lovelace'),
        'what is looked for would be found',
      )
    })
  })

  it('the gateway hands out neither the chain nor the ciphertext', async () => {
    const { gateway } = await readNodeFile(network.target.dataDir)
    const { tip: block } = await tip()
    assert.ok(gateway !== null)
    for (const cid of [block, file, grant, network.network, root]) {
      for (const query of ['', '?format=raw', '?format=car']) {
        const reply: Response = await fetch(`${gateway}/ipfs/${cid}${query}`)
        const text = await reply.text()
        assert.equal(reply.status, 404, `${cid}${query}`)
        for (const name of [FILE_NAME, CONTENT, ...MEMBER_NAMES]) assert.ok(!text.includes(name))
      }
    }
  })

  const tip = (): Promise<{ height: number; tip: string }> => network.call('GET', '/api/v1/chain')
})
