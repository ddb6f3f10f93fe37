import assert from 'node:assert/strict'
import fs, { readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FsBlockstore } from 'blockstore-fs'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { DAG_PB } from '../../../src/common/dag-cbor.ts'
import { MAX_CONTENT_BLOCK_BYTES } from '../../../src/common/limits.ts'
import type { FileCalls } from '../../../src/storage/blockstore-files.ts'
import { blockName, shardOf } from '../../../src/storage/blockstore-layout.ts'
import { openStore, pattern, rawCid, type TestStore, withStore } from './blockstore-helpers.ts'

const bytes = pattern(1000)
const cid = rawCid(bytes)
const pathOf = (store: TestStore, of: CID = cid): string =>
  join(store.dir, shardOf(blockName(of)), `${blockName(of)}.data`)

async function collect(parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const part of parts) all.push(part)
  return Buffer.concat(all)
}

function failing(changes: Partial<FileCalls>): FileCalls {
  return { ...fs, ...changes }
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code })
}

describe('content blockstore', () => {
  it('gives back what was put, under every codec, and blockstore-fs reads the same directory', () =>
    withStore(async ({ store, dir }) => {
      assert.equal(await store.has(cid), false)
      assert.equal(await store.put(cid, bytes), cid)
      assert.equal(await store.has(cid), true)
      assert.deepEqual(await store.bytes(cid), Buffer.from(bytes))
      assert.deepEqual(await collect(store.get(cid)), Buffer.from(bytes))
      assert.deepEqual(await store.bytes(CID.createV1(DAG_PB, cid.multihash)), Buffer.from(bytes))
      const other = new FsBlockstore(dir)
      await other.open()
      assert.deepEqual(await collect(other.get(cid)), Buffer.from(bytes))
      await store.delete(cid)
      assert.equal(await store.has(cid), false)
    }))

  it('CONTENT_MISSING: a block that is not there, with the name that users of blockstores know', () =>
    withStore(async ({ store }) => {
      await assert.rejects(store.bytes(cid), { code: 'CONTENT_MISSING', name: 'NotFoundError' })
    }))

  it('CONTENT_MISMATCH, CONTENT_TOO_LARGE, CONTENT_HASH: refused, and nothing is stored', () =>
    withStore(async ({ store, dir }) => {
      const put = async (of: CID, value: Uint8Array): Promise<CID> => store.put(of, value)
      await assert.rejects(put(cid, pattern(1000, 2)), { code: 'CONTENT_MISMATCH' })
      const large = new Uint8Array(MAX_CONTENT_BLOCK_BYTES + 1)
      await assert.rejects(put(rawCid(large), large), { code: 'CONTENT_TOO_LARGE' })
      const endless = (function* () {
        for (;;) yield new Uint8Array(65_536)
      })()
      await assert.rejects(async () => store.put(cid, endless), { code: 'CONTENT_TOO_LARGE' })
      const identity = CID.createV1(0x55, createDigest(0, Uint8Array.of(1, 2)))
      await assert.rejects(put(identity, Uint8Array.of(1, 2)), { code: 'CONTENT_HASH' })
      assert.equal(await store.has(identity), false)
      const shards = (await readdir(dir)).filter((name) => name.length === 2)
      assert.deepEqual(shards, [])
    }))

  for (const [what, damage] of [
    ['one flipped bit', (path: string) => writeFile(path, flipped(bytes))],
    ['a truncated file', (path: string) => truncate(path, 10)],
    ['an empty file', (path: string) => truncate(path, 0)],
  ] as const) {
    it(`CONTENT_DAMAGED: ${what} is never given out, is put aside, and good bytes repair it`, () =>
      withStore(async (test) => {
        const { store, damaged, dir } = test
        await store.put(cid, bytes)
        await damage(pathOf(test))
        await assert.rejects(store.bytes(cid), { code: 'CONTENT_DAMAGED' })
        assert.deepEqual(damaged, [cid.toString()])
        assert.equal(await store.has(cid), false)
        assert.equal((await readdir(join(dir, 'quarantine'))).length, 1)
        await assert.rejects(store.bytes(cid), { code: 'CONTENT_DAMAGED' })
        const reopened = await openStore(dir)
        await assert.rejects(reopened.store.bytes(cid), { code: 'CONTENT_DAMAGED' })
        await store.put(cid, bytes)
        assert.deepEqual(await store.bytes(cid), Buffer.from(bytes))
        assert.deepEqual(await readdir(join(dir, 'quarantine')), [])
      }))
  }

  it('putting good bytes over damaged ones that nobody has read yet repairs them', () =>
    withStore(async (test) => {
      await test.store.put(cid, bytes)
      await writeFile(pathOf(test), flipped(bytes))
      await test.store.put(cid, bytes)
      assert.deepEqual(await test.store.bytes(cid), Buffer.from(bytes))
      assert.equal(test.damaged.length, 1)
    }))

  it('many concurrent puts of one block leave it whole, and no temporary file', () =>
    withStore(async ({ store, dir }) => {
      await Promise.all(Array.from({ length: 32 }, async () => store.put(cid, bytes)))
      assert.deepEqual(await store.bytes(cid), Buffer.from(bytes))
      assert.deepEqual(await readdir(join(dir, 'tmp')), [])
    }))

  it('STORAGE_FULL: a full disk is said so, nothing half is visible, and later puts work', async () => {
    let full = true
    const calls = failing({
      open: async (path, flags, mode) => {
        const handle = await fs.open(path, flags, mode)
        if (full && flags === 'wx') {
          handle.write = async (data: Uint8Array | string, ...rest: never[]): Promise<never> => {
            await fs.writeFile(path, (data as Uint8Array).subarray(0, 100))
            throw Object.assign(systemError('ENOSPC'), { rest })
          }
        }
        return handle
      },
    })
    await withStore(async ({ store, dir }) => {
      await assert.rejects(async () => store.put(cid, bytes), { code: 'STORAGE_FULL' })
      assert.equal(await store.has(cid), false)
      assert.deepEqual(await readdir(join(dir, 'tmp')), [])
      full = false
      await store.put(cid, bytes)
      assert.deepEqual(await store.bytes(cid), Buffer.from(bytes))
    }, calls)
  })

  for (const [code, expected] of [
    ['EMFILE', 'EMFILE'],
    ['EIO', 'STORAGE_FAILED'],
    ['EACCES', 'DATA_DIRECTORY_NOT_WRITABLE'],
  ] as const) {
    it(`${code} is never taken for "not there"`, async () => {
      const fail = async (): Promise<never> => Promise.reject(systemError(code))
      await withStore(
        async ({ store }) => {
          await assert.rejects(store.bytes(cid), { code: expected })
          await assert.rejects(async () => store.has(cid), { code: expected })
          await assert.rejects(async () => store.put(cid, bytes), { code: expected })
        },
        failing({ readFile: fail as never, stat: fail as never }),
      )
    })
  }

  it('flush flushes each directory that changed, once, and again after a failure', async () => {
    const synced: string[] = []
    let broken = false
    let shortest = Number.POSITIVE_INFINITY
    const calls = failing({
      open: async (path, flags, mode) => {
        const handle = await fs.open(path, flags, mode)
        if (flags !== 'r') return handle
        handle.sync = async () => {
          // One of them is slow: its end is waited for although the other one fails first.
          if (String(path).length > shortest)
            await new Promise((resolve) => setTimeout(resolve, 20))
          if (broken) throw systemError('EIO')
          synced.push(String(path))
        }
        return handle
      },
    })
    await withStore(async ({ store, dir }) => {
      await store.flush()
      synced.length = 0
      shortest = dir.length
      await store.put(cid, bytes)
      broken = true
      await assert.rejects(store.flush(), { code: 'STORAGE_FAILED' })
      broken = false
      await store.flush()
      assert.deepEqual(synced.sort(), [dir, join(dir, shardOf(blockName(cid)))].sort())
      synced.length = 0
      await store.flush()
      assert.deepEqual(synced, [])
      await store.put(cid, bytes)
      await store.flush()
      assert.equal(synced.length, 1, 'a block that stood there may never have been flushed')
    }, calls)
  })

  it('removes at start what an interrupted write left, and lists only blocks', () =>
    withStore(async ({ store, dir }) => {
      await store.put(cid, bytes)
      await writeFile(join(dir, 'tmp', '1-1'), 'torn')
      await writeFile(join(dir, shardOf(blockName(cid)), 'README.data'), 'not a block')
      const reopened = await openStore(dir)
      assert.deepEqual(await readdir(join(dir, 'tmp')), [])
      const all: string[] = []
      for await (const digest of reopened.store.digests())
        all.push(Buffer.from(digest).toString('hex'))
      assert.deepEqual(all, [Buffer.from(cid.multihash.digest).toString('hex')])
      for await (const pair of reopened.store.getAll()) {
        assert.equal(pair.cid.toString(), cid.toString())
        assert.deepEqual(await collect(pair.bytes), Buffer.from(bytes))
      }
    }))

  it('deletes only what was not used since', () =>
    withStore(async (test) => {
      const { store } = test
      await store.put(cid, bytes)
      const hour = 3_600_000
      const remove = (before: number): Promise<number> =>
        store.deleteIfUnusedSince(cid.multihash.digest, before)
      assert.equal(await remove(Date.now() - hour), 0)
      await fs.utimes(pathOf(test), 1, 1)
      await store.put(cid, bytes)
      assert.equal(await remove(Date.now() - hour), 0, 'a put of what is there counts as use')
      assert.equal(await remove(Date.now() + hour), bytes.length)
      assert.equal(await remove(Date.now() + hour), 0)
      assert.equal(await store.has(cid), false)
    }))

  it('reads what it wrote as the bytes on the disk', () =>
    withStore(async (test) => {
      await test.store.put(cid, bytes)
      assert.deepEqual(await readFile(pathOf(test)), Buffer.from(bytes))
    }))
})

function flipped(of: Uint8Array): Uint8Array {
  const changed = of.slice()
  changed[500] = (changed[500] ?? 0) ^ 1
  return changed
}

describe('content blockstore and a failing disk', () => {
  it('whichever system call fails: the error is told, and what is visible is whole', async () => {
    const names = ['mkdir', 'open', 'readFile', 'rename', 'stat', 'unlink', 'utimes'] as const
    for (const code of ['ENOSPC', 'EIO', 'EMFILE']) {
      let completed = false
      for (let failAt = 0; !completed; failAt += 1) {
        let calls = 0
        let armed = false
        const counted = Object.fromEntries(
          names.map((name) => [
            name,
            async (...args: never[]) => {
              if (armed && calls++ === failAt) throw systemError(code)
              return (fs[name] as (...args: never[]) => unknown)(...args)
            },
          ]),
        )
        await withStore(
          async ({ store, dir, damaged }) => {
            const other = pattern(2000, 7)
            await store.put(rawCid(other), other)
            armed = true
            const outcome = await Promise.resolve()
              .then(async () => {
                await store.put(cid, bytes)
                await store.put(rawCid(other), other)
                await store.flush()
                await store.bytes(cid)
                await store.delete(rawCid(other))
                return 'done'
              })
              .catch((error: { code?: string; name?: string }) => error)
            armed = false
            if (outcome === 'done') completed = calls <= failAt
            else {
              assert.ok(typeof outcome === 'object')
              const told = { ENOSPC: 'STORAGE_FULL', EIO: 'STORAGE_FAILED' }[code] ?? code
              assert.equal(outcome.code, told)
            }
            for (const [of, wanted] of [
              [cid, bytes],
              [rawCid(other), other],
            ] as const) {
              if (await store.has(of)) assert.deepEqual(await store.bytes(of), Buffer.from(wanted))
              await store.put(of, wanted)
              assert.deepEqual(await store.bytes(of), Buffer.from(wanted))
            }
            assert.deepEqual(damaged, [])
            assert.deepEqual((await readdir(join(dir, 'quarantine'))).length, 0)
          },
          failing(counted as Partial<FileCalls>),
        )
      }
    }
  })
})
