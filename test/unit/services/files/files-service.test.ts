import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CID } from 'multiformats/cid'
import type { ContentId } from '../../../../src/chain/ids.ts'
import { openFileSource } from '../../../../src/services/files/file-source.ts'
import type { Candidate } from '../../../../src/services/files/types.ts'
import { blockName, shardOf } from '../../../../src/storage/blockstore-layout.ts'
import { pattern, withDirectory } from '../../storage/blockstore-helpers.ts'
import { type FilesNode, streamOf, textOf, withAdaAndBob } from './files-node.ts'

const { signal } = new AbortController()
const visibility = 'public' as const
const add = (on: FilesNode, name: string, text: string, folder?: readonly string[]) =>
  on.files.add(
    streamOf(text),
    { name, visibility, ...(folder === undefined ? {} : { folder }) },
    { signal },
  )

describe('files: add, list, find', () => {
  it('adds a file: its bytes are pinned, its record is pending, all lists show it', () =>
    withAdaAndBob(async (ada) => {
      const added = await add(ada, 'Re\u0301sume\u0301.txt', 'hello', ['docs'])
      assert.equal(added.name, 'R\u00e9sum\u00e9.txt')
      assert.equal(added.size, 5)
      assert.equal(added.sha256, createHash('sha256').update('hello').digest('hex'))
      assert.ok(ada.pins.isPinned(added.root as ContentId))
      assert.equal(ada.pins.oldestOpenLease(), undefined)
      const [summary] = ada.files.list({ limit: 10 }).items
      assert.ok(summary)
      assert.equal(summary.file, added.file)
      assert.equal(summary.mediaType, 'text/plain')
      assert.deepEqual(summary.owner.name, 'ada')
      assert.deepEqual([summary.pending, summary.local, summary.conflict], [true, true, false])
      assert.equal(await textOf(ada.files.read(added.file, {}, signal)), 'hello')
      assert.equal(
        await textOf(ada.files.read(added.file, { offset: 1, length: 3 }, signal)),
        'ell',
      )
      await ada.node.mine()
      assert.equal(ada.files.find(added.file).pending, false)
      assert.equal(ada.files.info(added.file).versionList[0]?.state.status, 'confirmed')
    }))

  it('an empty file is a file', () =>
    withAdaAndBob(async (ada) => {
      const added = await add(ada, 'empty', '')
      assert.equal(added.root, 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku')
      assert.equal(await textOf(ada.files.read(added.file, {}, signal)), '')
      assert.equal(ada.files.find('empty').mediaType, 'application/octet-stream')
    }))

  it('lists by owner, text and page', () =>
    withAdaAndBob(async (ada, bob) => {
      for (const name of ['a', 'b', 'c']) await add(ada, name, name)
      await add(bob, 'd', 'd', ['Reports'])
      await bob.tell(ada)
      const names = (page: { items: readonly { name: string | null }[] }) =>
        page.items.map((f) => f.name)
      assert.deepEqual(names(ada.files.list({ limit: 10 })), ['a', 'b', 'c', 'd'])
      assert.deepEqual(names(ada.files.list({ limit: 10, owner: 'bob' })), ['d'])
      assert.deepEqual(names(ada.files.list({ limit: 10, search: 'report' })), ['d'])
      const first = ada.files.list({ limit: 3 })
      assert.deepEqual(names(first), ['a', 'b', 'c'])
      assert.ok(first.next !== null)
      const rest = ada.files.list({ limit: 3, after: first.next })
      assert.deepEqual(names(rest), ['d'])
      assert.equal(rest.next, null)
      assert.throws(() => ada.files.list({ limit: 1, owner: 'eve' }), { code: 'OWNER_NOT_FOUND' })
    }))

  it('finds by name, folder/name, id, beginning of an id, and CID', () =>
    withAdaAndBob(async (ada) => {
      const one = await add(ada, 'same.txt', 'one', ['docs', 'old'])
      const two = await add(ada, 'same.txt', 'two', ['docs', 'new'])
      const three = await add(ada, 'other.txt', 'three')
      const found = (text: string): string => ada.files.find(text).file
      assert.equal(found('other.txt'), three.file)
      assert.equal(found('docs/new/same.txt'), two.file)
      assert.equal(found('old/same.txt'), one.file)
      assert.equal(found(one.file), one.file)
      assert.equal(found(one.version), one.file)
      assert.equal(found(one.root), one.file)
      assert.equal(found(one.file.slice(0, 20)), one.file)
      assert.equal(found(two.root.slice(0, 20)), two.file)
      assert.throws(() => found('nothing'), { code: 'FILE_NOT_FOUND' })
      assert.throws(
        () => found('bafyrei'),
        { code: 'FILE_NOT_FOUND' },
        'too short to mean anything',
      )
      assert.throws(
        () => found('same.txt'),
        (error: unknown) => {
          assert.ok(error instanceof Error && 'code' in error && 'details' in error)
          assert.equal(error.code, 'FILE_AMBIGUOUS')
          const { candidates } = error.details as { candidates: string }
          const list = JSON.parse(candidates) as Candidate[]
          assert.deepEqual(list.map(({ name }) => name).sort(), [
            'docs/new/same.txt',
            'docs/old/same.txt',
          ])
          return true
        },
      )
    }))

  for (const [code, options] of [
    ['FILE_NAME', { name: 'a/b' }],
    ['FILE_NAME', { name: 'x'.repeat(10_000) }],
    ['FILE_NAME', { name: 'bell\u0007' }],
    ['FILE_NAME', { name: '..' }],
    ['FILE_NAME', { name: '' }],
    ['FILE_FOLDER', { name: 'a', folder: ['..'] }],
    ['FILE_FOLDER', { name: 'a', folder: Array.from({ length: 40 }, () => 'x') }],
    ['FILE_MEDIA_TYPE', { name: 'a', mediaType: 'text/html\r\nX-Evil: 1' }],
    ['FILE_VISIBILITY', { name: 'a', visibility: 'secret' as 'public' }],
  ] as const) {
    it(`${code}: ${JSON.stringify(options).slice(0, 60)}`, () =>
      withAdaAndBob(async (ada) => {
        let read = false
        const source = (async function* () {
          read = true
          yield new Uint8Array(1)
        })()
        await assert.rejects(ada.files.add(source, { visibility, ...options }, { signal }), {
          code,
        })
        assert.equal(read, false)
      }))
  }

  it('FILE_CHANGED: a file that changes while it is added is not added', () =>
    withAdaAndBob((ada) =>
      withDirectory(async (dir) => {
        const path = join(dir, 'growing')
        await writeFile(path, pattern(3_000_000))
        const { source, unchanged } = await openFileSource(path)
        const changing = (async function* () {
          for await (const part of source) {
            yield part
            await appendFile(path, 'more')
          }
        })()
        const options = { name: 'growing', visibility }
        await assert.rejects(ada.files.add(changing, options, { signal, unchanged }), {
          code: 'FILE_CHANGED',
        })
        assert.deepEqual(ada.files.list({ limit: 10 }).items, [])
        assert.equal(ada.pins.oldestOpenLease(), undefined)
        assert.deepEqual(ada.pins.pinned(10), [])
        const quiet = await openFileSource(path)
        const added = await ada.files.add(quiet.source, options, { signal, ...quiet })
        assert.equal(added.size, (await readFile(path)).length)
      }),
    ))

  it('a failing source, a failing publication or an abort leave nothing behind', () =>
    withAdaAndBob(async (ada) => {
      const options = { name: 'a', visibility }
      const broken = (async function* () {
        yield new Uint8Array(10)
        throw Object.assign(new Error('gone'), { code: 'EIO' })
      })()
      await assert.rejects(ada.files.add(broken, options, { signal }), { code: 'EIO' })
      const { publisher } = ada
      ada.publisher = {
        publish: () => Promise.reject(Object.assign(new Error('full'), { code: 'STORAGE_FULL' })),
      }
      await assert.rejects(ada.files.add(streamOf('x'), options, { signal }), {
        code: 'STORAGE_FULL',
      })
      ada.publisher = publisher
      const aborted = AbortSignal.abort(new Error('stop'))
      await assert.rejects(ada.files.add(streamOf('x'), options, { signal: aborted }), /stop/)
      assert.deepEqual(ada.pins.pinned(10), [])
      assert.equal(ada.pins.oldestOpenLease(), undefined)
      assert.deepEqual(ada.files.list({ limit: 10 }).items, [])
    }))

  it('flushes the content before the record is signed', () =>
    withAdaAndBob(async (ada) => {
      const order: string[] = []
      const { publisher } = ada
      const { flush } = ada.store
      ada.store.flush = async () => {
        await flush()
        order.push('flushed')
      }
      ada.publisher = {
        publish: async (statement) => {
          const pinned = ada.pins.pinned(10).length
          order.push(`published with ${pinned} pin`)
          return publisher.publish(statement)
        },
      }
      await add(ada, 'a', 'bytes')
      assert.deepEqual(order, ['flushed', 'published with 1 pin'])
    }))
})

describe('files: update and remove', () => {
  it('a version follows the one before; what is not given stays', () =>
    withAdaAndBob(async (ada) => {
      const one = await add(ada, 'a.txt', 'one', ['docs'])
      const two = await ada.files.update(one.file, streamOf('two'), {}, { signal })
      assert.equal(two.file, one.file)
      const info = ada.files.info(one.file)
      assert.deepEqual([info.name, info.folder, info.mediaType], ['a.txt', ['docs'], 'text/plain'])
      assert.equal(info.version, two.version)
      assert.equal(info.conflict, false)
      assert.deepEqual(
        info.versionList.map((v) => [v.number, v.current, v.parents]),
        [
          [1, false, []],
          [2, true, [one.version]],
        ],
      )
      assert.equal(await textOf(ada.files.read(one.file, {}, signal)), 'two')
      const first = ada.files.read(one.file, { version: one.version }, signal)
      assert.equal(await textOf(first), 'one')
      assert.throws(() => ada.files.read(one.file, { version: two.root }, signal), {
        code: 'VERSION_NOT_FOUND',
      })
    }))

  it('concurrent versions are a conflict that the next update resolves', () =>
    withAdaAndBob(async (ada) => {
      const one = await add(ada, 'a', 'one')
      await ada.files.update(one.file, streamOf('two'), {}, { signal })
      const { body } = ada.node.store.projections.file(one.file as never)?.record ?? {}
      assert.ok(body && 'parents' in body)
      await ada.node.publish({
        type: 'file.update',
        body: { ...body, parents: [one.version as never] },
      })
      assert.equal(ada.files.find('a').conflict, true)
      const merged = await ada.files.update(one.file, streamOf('merged'), {}, { signal })
      const info = ada.files.info(one.file)
      assert.equal(info.conflict, false)
      assert.equal(info.versionList.find((v) => v.version === merged.version)?.parents.length, 2)
    }))

  it('FILE_NOT_OWNER, FILE_REMOVED, FILE_NOT_FOUND', () =>
    withAdaAndBob(async (ada, bob) => {
      const one = await add(ada, 'a', 'one')
      await ada.tell(bob)
      const update = (on: FilesNode, file: string) =>
        on.files.update(file, streamOf('x'), {}, { signal })
      await assert.rejects(update(bob, one.file), { code: 'FILE_NOT_OWNER' })
      await assert.rejects(bob.files.remove(one.file, signal), { code: 'FILE_NOT_OWNER' })
      await ada.files.remove(one.file, signal)
      await assert.rejects(update(ada, one.file), { code: 'FILE_REMOVED' })
      await assert.rejects(ada.files.remove(one.file, signal), { code: 'FILE_REMOVED' })
      await assert.rejects(update(ada, 'bafy'), { code: 'FILE_NOT_FOUND' })
      assert.deepEqual(ada.files.list({ limit: 10 }).items, [])
      const [removed] = ada.files.list({ limit: 10, all: true }).items
      assert.equal(removed?.removed, true)
      assert.equal(ada.files.info(one.file).versionList[0]?.removed, true)
    }))
})

describe('files: fetch, read, keep, free', () => {
  it('fetches all bytes, pins them, and records an access to the file of another', () =>
    withAdaAndBob(async (ada, bob) => {
      const bytes = pattern(2_500_000)
      const options = { name: 'big.bin', visibility }
      const added = await ada.files.add(streamOf(bytes), options, { signal })
      await ada.tell(bob)
      bob.sources.push(ada)
      const progress: number[] = []
      const fetched = await bob.files.fetch(
        added.file,
        {},
        { signal, onProgress: (p) => progress.push(p.bytes) },
      )
      assert.deepEqual([fetched.root, fetched.sha256], [added.root, added.sha256])
      assert.ok(progress.length > 0)
      assert.ok(bob.pins.isPinned(added.root as ContentId))
      assert.deepEqual(bob.pins.leasedRoots(), [])
      bob.sources.length = 0
      const all: Uint8Array[] = []
      for await (const part of bob.files.read(added.file, {}, signal)) all.push(part)
      assert.deepEqual(Buffer.concat(all), Buffer.from(bytes))
      await bob.tell(ada)
      await ada.node.mine()
      const info = ada.files.info(added.file)
      assert.equal(info.accesses, 1)
      assert.deepEqual(
        ada.files.history(added.file).map((h) => [h.type, h.user.name, h.number, h.state.outcome]),
        [
          ['file.add', 'ada', 1, 'applied'],
          ['access', 'bob', 1, 'applied'],
        ],
      )
      await ada.files.fetch(added.file, {}, { signal })
      assert.equal(ada.files.info(added.file).accesses, 1, 'none of the owner')
    }))

  it('two who fetch one file at once check and pin it once', () =>
    withAdaAndBob(async (ada, bob) => {
      const added = await add(ada, 'a', 'bytes')
      await ada.tell(bob)
      bob.sources.push(ada)
      let verified = 0
      bob.node.events.on('copy:verified', () => {
        verified += 1
      })
      const fetch = () => bob.files.fetch(added.file, {}, { signal })
      await Promise.all([fetch(), fetch(), fetch()])
      assert.equal(verified, 1)
      assert.deepEqual(bob.pins.leasedRoots(), [])
    }))

  it('bytes that nobody has are said so; what came before stays for the next try', () =>
    withAdaAndBob(async (ada, bob) => {
      const added = await add(ada, 'a', 'bytes')
      await ada.tell(bob)
      await assert.rejects(textOf(bob.files.read(added.file, {}, signal)), { code: 'NO_SOURCE' })
      await assert.rejects(bob.files.fetch(added.file, {}, { signal }), { code: 'NO_SOURCE' })
      assert.deepEqual(bob.pins.leasedRoots(), [added.root])
      assert.equal(bob.files.info(added.file).local, false)
    }))

  it('a block that is damaged here is fetched again without anybody noticing', () =>
    withAdaAndBob(async (ada, bob) => {
      const added = await add(ada, 'a', 'precious bytes')
      await ada.tell(bob)
      bob.sources.push(ada)
      await bob.files.fetch(added.file, {}, { signal })
      const name = blockName(CID.parse(added.root))
      await writeFile(join(bob.dir, shardOf(name), `${name}.data`), 'precious bytez')
      assert.equal(await textOf(bob.files.read(added.file, {}, signal)), 'precious bytes')
      assert.equal(bob.damaged.length, 1)
      assert.deepEqual(await readdir(join(bob.dir, 'quarantine')), [])
    }))

  it('CONTENT_DIFFERS: whole content that is not what the record says is not taken', () =>
    withAdaAndBob(async (ada, bob) => {
      const added = await add(ada, 'a', 'bytes')
      const { body } = ada.node.store.projections.file(added.file as never)?.record ?? {}
      assert.ok(body?.visibility === 'public')
      const lie = await ada.node.publish({
        type: 'file.add',
        body: { ...body, name: 'lie', sha256: pattern(32) },
      })
      await ada.tell(bob)
      bob.sources.push(ada)
      await assert.rejects(bob.files.fetch(lie.id, {}, { signal }), { code: 'CONTENT_DIFFERS' })
      assert.equal(bob.pins.isPinned(added.root as ContentId), false)
      await assert.rejects(textOf(bob.files.read(lie.id, {}, signal)), { code: 'CONTENT_DIFFERS' })
      const part = bob.files.read(lie.id, { length: 2 }, signal)
      assert.equal(await textOf(part), 'by', 'a part of it is the part of these blocks')
    }))

  it('FREE_LAST_COPY: lets bytes go only when another device says that it holds them, or when forced', () =>
    withAdaAndBob(async (ada, bob) => {
      const added = await add(ada, 'a', 'bytes')
      const twin = await add(ada, 'twin', 'bytes')
      await ada.tell(bob)
      const root = added.root as ContentId
      await assert.rejects(ada.files.free(added.file, signal), { code: 'FREE_LAST_COPY' })
      ada.sources.push(bob)
      await assert.rejects(ada.files.free(added.file, signal), { code: 'FREE_LAST_COPY' })
      bob.sources.push(ada)
      await bob.files.keep(added.file, signal)
      assert.equal(bob.files.find('a').kept, true)
      await ada.files.free(added.file, signal)
      assert.ok(ada.pins.isPinned(root), 'another file needs the same bytes')
      await ada.files.free(twin.file, signal)
      assert.equal(ada.pins.isPinned(root), false)
      bob.sources.length = 0
      await bob.files.free(added.file, signal, { force: true })
      assert.ok(bob.pins.isPinned(root), 'the twin')
    }))
})
