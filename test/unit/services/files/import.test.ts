import assert from 'node:assert/strict'
import { createCipheriv, createHash } from 'node:crypto'
import fc from 'fast-check'
import { importFile } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { balanced } from 'ipfs-unixfs-importer/layout'
import { MIB } from '../../../../src/common/limits.ts'
import { importContent } from '../../../../src/services/files/import.ts'
import { pattern, rawCid, withStore } from '../../storage/blockstore-helpers.ts'

const signal = new AbortController().signal
/** Takes blocks and forgets them. */
const nowhere = { putVerified: async (): Promise<void> => {} }

async function* pieces(bytes: Uint8Array, size = 65_536): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += size) {
    yield bytes.subarray(offset, offset + size)
  }
}

/**
 * The bytes that Kubo's own tests of the import profiles use (test/cli/testutils/random_deterministic.go):
 * the key stream of ChaCha20 under the SHA-256 of a seed.
 */
async function* kuboBytes(size: number, seed: string): AsyncGenerator<Uint8Array> {
  const key = createHash('sha256').update(seed).digest()
  const stream = createCipheriv('chacha20', key, Buffer.alloc(16))
  for (let left = size; left > 0; left -= MIB)
    yield stream.update(Buffer.alloc(Math.min(left, MIB)))
}

describe('import of content', () => {
  // Roots as Kubo gives them with `ipfs init --profile=unixfs-v1-2025` (test/cli/cid_profiles_test.go);
  // the empty file as it gives it with CIDv1 and raw leaves.
  const vectors: readonly [string, number, string, string][] = [
    ['nothing', 0, '', 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'],
    ['1 MiB', MIB, 'chunk-v1-seed', 'bafkreiacndfy443ter6qr2tmbbdhadvxxheowwf75s6zehscklu6ezxmta'],
    [
      '1 MiB and a byte',
      MIB + 1,
      'chunk-v1-seed',
      'bafybeigmix7t42i6jacydtquhet7srwvgpizfg7gjbq7627d35mjomtu64',
    ],
  ]
  for (const [what, size, seed, root] of vectors) {
    it(`gives the root that Kubo gives: ${what}`, async () => {
      const imported = await importContent(nowhere, kuboBytes(size, seed), { signal })
      assert.equal(imported.root, root)
      assert.equal(imported.size, size)
    })
  }

  it('gives the root that Kubo gives: hello world', async () => {
    const imported = await importContent(nowhere, pieces(Buffer.from('hello world')), { signal })
    assert.equal(imported.root, 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e')
  })

  // Two gigabytes of hashing: too slow for every run.
  if (process.env.CAIRN_SLOW !== undefined) {
    it('gives the roots that Kubo gives around 1,024 leaves', async function () {
      this.timeout(60_000)
      for (const [size, root] of [
        [1024 * MIB, 'bafybeihmf37wcuvtx4hpu7he5zl5qaf2ineo2lqlfrapokkm5zzw7zyhvm'],
        [1024 * MIB + 1, 'bafybeibdsi225ugbkmpbdohnxioyab6jsqrmkts3twhpvfnzp77xtzpyhe'],
      ] as const) {
        const imported = await importContent(nowhere, kuboBytes(size, 'v1-2025-seed'), { signal })
        assert.equal(imported.root, root)
      }
    })
  }

  it('gives root and sizes as ipfs-unixfs-importer does, for every shape of tree', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(300),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 2, max: 5 }),
        fc.integer({ min: 1, max: 40 }),
        async (length, leafBytes, nodeLinks, cut) => {
          const bytes = pattern(length)
          const ours = await importContent(nowhere, pieces(bytes, cut), {
            signal,
            leafBytes,
            nodeLinks,
          })
          const theirs = await importFile(
            { content: bytes },
            { put: async (cid: never) => cid },
            {
              profile: 'unixfs-v1-2025',
              chunker: fixedSize({ chunkSize: leafBytes }),
              layout: balanced({ maxChildrenPerNode: nodeLinks }),
            },
          )
          assert.equal(ours.root, theirs.cid.toString())
          assert.equal(BigInt(ours.storedSize), theirs.size)
          assert.equal(ours.size, length)
          assert.deepEqual(Buffer.from(ours.sha256), createHash('sha256').update(bytes).digest())
        },
      ),
      { numRuns: 150 },
    )
  })

  it('stores every block before it resolves, and tells of its progress', () =>
    withStore(async ({ store }) => {
      const bytes = pattern(3000)
      const told: number[] = []
      const { root } = await importContent(store, pieces(bytes, 100), {
        signal,
        leafBytes: 1000,
        onBytes: (so) => told.push(so),
      })
      assert.deepEqual(told, [1000, 2000, 3000])
      for (let leaf = 0; leaf < 3; leaf += 1) {
        await store.bytes(rawCid(bytes.subarray(leaf * 1000, leaf * 1000 + 1000)))
      }
      const other = await importContent(store, pieces(bytes, 7), { signal, leafBytes: 1000 })
      assert.equal(other.root, root)
    }))

  it('a failing store, a failing source or an abort ends it, with nothing left in flight', async () => {
    let running = 0
    const slow = {
      putVerified: async (): Promise<void> => {
        running += 1
        await new Promise((resolve) => setImmediate(resolve))
        running -= 1
        throw Object.assign(new Error('full'), { code: 'STORAGE_FULL' })
      },
    }
    await assert.rejects(importContent(slow, pieces(pattern(9000)), { signal, leafBytes: 100 }), {
      code: 'STORAGE_FULL',
    })
    assert.equal(running, 0)
    const broken = (async function* () {
      yield pattern(500)
      throw Object.assign(new Error('unreadable'), { code: 'EIO' })
    })()
    await assert.rejects(importContent(nowhere, broken, { signal, leafBytes: 100 }), {
      code: 'EIO',
    })
    const controller = new AbortController()
    const endless = (async function* () {
      for (let n = 0; ; n += 1) {
        if (n === 50) controller.abort(new Error('enough'))
        yield pattern(100)
      }
    })()
    await assert.rejects(
      importContent(nowhere, endless, { signal: controller.signal, leafBytes: 100 }),
      /enough/,
    )
  })
})
