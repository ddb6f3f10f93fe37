import assert from 'node:assert/strict'
import type { SignedRecord } from '../../../src/chain/record.ts'
import { cidOf } from '../../../src/common/dag-cbor.ts'
import type { SyncChain } from '../../../src/network/sync/chain.ts'
import type { SyncPeer } from '../../../src/network/sync/peer.ts'
import { syncRecords } from '../../../src/network/sync/records.ts'
import { fileAdd, userCreate, write, writer } from '../storage/chain-model.ts'

describe('sync: records that are given and not taken', () => {
  it('what one device wrote too much of does not keep others’ records back', async () => {
    const [many, few] = [writer(1), writer(2)]
    const theirs: SignedRecord[][] = [many, few].map((by) => [
      write(by, userCreate('x')),
      write(by, fileAdd('file')),
    ])
    const have = new Set<string>()
    const chain: Pick<SyncChain, 'hasRecord' | 'recordLocator' | 'acceptRecords'> = {
      hasRecord: (id) => have.has(id),
      recordLocator: () => [],
      acceptRecords: async (records) => {
        const taken = theirs[1]?.filter(({ bytes }) => records.includes(bytes)) ?? []
        for (const { id } of taken) have.add(id)
        return { accepted: taken.length }
      },
    }
    let requests = 0
    const peer: Pick<SyncPeer, 'id' | 'heads' | 'records'> = {
      id: writer(3).device,
      heads: async () => ({
        heads: theirs.flatMap((list) => list.slice(-1)),
        more: false,
      }),
      // As many as fit into an answer: those of the first head.
      records: async ([want]) => {
        requests += 1
        const found = theirs.find((list) => list.some(({ id }) => id === want?.head)) ?? []
        return found.map(({ bytes }) => bytes)
      },
    }
    const { signal } = new AbortController()
    assert.equal(await syncRecords(peer as SyncPeer, chain as SyncChain, signal), 2)
    assert.equal(requests, 2)
    assert.ok(theirs[1]?.every(({ bytes }) => have.has(cidOf(bytes))))
  })

  it('many heads of one device cost one look at what is here of it', async () => {
    const by = writer(1)
    const admission = write(by, userCreate('x'))
    const twins = Array.from({ length: 300 }, (_, at) =>
      write(by, fileAdd(`twin ${at}`), { after: admission }),
    )
    const have = new Set<string>([admission.id])
    let looks = 0
    const chain: Pick<SyncChain, 'hasRecord' | 'recordLocator' | 'acceptRecords'> = {
      hasRecord: (id) => have.has(id),
      recordLocator: () => {
        looks += 1
        return [admission.id]
      },
      acceptRecords: async (records) => {
        for (const bytes of records) have.add(cidOf(bytes))
        return { accepted: records.length }
      },
    }
    let requests = 0
    const peer: Pick<SyncPeer, 'id' | 'heads' | 'records'> = {
      id: writer(3).device,
      heads: async () => ({ heads: twins, more: false }),
      records: async (wants) => {
        requests += 1
        return wants.flatMap(({ head }) => twins.find(({ id }) => id === head)?.bytes ?? [])
      },
    }
    const { signal } = new AbortController()
    assert.equal(await syncRecords(peer as SyncPeer, chain as SyncChain, signal), 300)
    assert.equal(looks, requests)
  })
})
