/** What every backup destination has to do, whatever keeps its objects. */
import assert from 'node:assert/strict'
import type { Destination } from '../../src/services/backup/destination.ts'
import { createContentsWorld } from '../helpers/backup/contents-world.ts'
import { key } from '../helpers/backup-world.ts'

/** A destination whose storage is empty, and ways around it. */
export interface OpenDestination {
  readonly destination: Destination
  /** A second, independent connection to the same storage, as another process would have it. */
  again(): Promise<Destination>
  /** Ends what `open` started, after the destinations are closed. */
  end(): Promise<void>
}

export interface SuiteOptions {
  /** Objects that are listed at once: more than one page of the service. Default 120. */
  readonly many?: number
  /** Bytes of the large object. Default 6 MiB. */
  readonly large?: number
  /** Milliseconds that a test may take. Default 20,000. */
  readonly timeout?: number
  /** Milliseconds by which the destination's clock may differ from this one. Default 5,000. */
  readonly clockSkew?: number
}

const never = new AbortController().signal

/** The bytes of test object number `n`. */
function bytesOf(n: number, size = 300): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => (at * 7 + n * 13 + (at >> 8)) & 0xff)
}

/** Runs the acceptance suite: `open` is called once for each test. */
export function destinationSuite(
  name: string,
  open: () => Promise<OpenDestination>,
  options: SuiteOptions = {},
): void {
  const { many = 120, large = 6 * 1024 * 1024, timeout = 20_000, clockSkew = 5_000 } = options

  describe(`destination: ${name}`, function () {
    this.timeout(timeout)
    let opened: OpenDestination
    let at: Destination
    const others: Destination[] = []

    beforeEach(async () => {
      opened = await open()
      at = opened.destination
    })
    afterEach(async () => {
      for (const each of [at, ...others.splice(0)]) await each.close()
      await opened.end()
    })

    const put = (object: string, bytes: Uint8Array, label?: string): Promise<void> =>
      at.put(object, bytes, { signal: never, ...(label === undefined ? {} : { label }) })
    const names = async (prefix: string): Promise<string[]> =>
      (await at.list(prefix, never)).map((object) => object.name)

    it('says what it is', () => {
      assert.match(at.kind, /^(?:folder|postgres|s3|gcs|ipfs)$/)
      assert.ok(at.name.length > 0)
    })

    it('gives back what it was given', async () => {
      const all = Uint8Array.from({ length: 256 }, (_, byte) => byte)
      await put('net/one', all)
      await put('net/two', Uint8Array.of(0), 'Auto-backup 2026-01-14T15:30:45Z, 42 blocks')
      assert.deepEqual(await at.get('net/one', never), all)
      assert.deepEqual(await at.get('net/two', never), Uint8Array.of(0))
    })

    it('takes a large object', async () => {
      const bytes = bytesOf(1, large)
      await put('net/large', bytes)
      const back = await at.get('net/large', never)
      assert.equal(Buffer.compare(back, bytes), 0)
      assert.equal((await at.list('net/large', never))[0]?.size, large)
    })

    it('lists a name as it was given, with its size and time', async () => {
      const before = Date.now()
      await put('net/segments/000000000001.full', bytesOf(1, 1234))
      const [object, ...more] = await at.list('net/', never)
      assert.deepEqual(more, [])
      assert.equal(object?.name, 'net/segments/000000000001.full')
      assert.equal(object.size, 1234)
      assert.ok(Number.isInteger(object.stored))
      assert.ok(object.stored >= before - clockSkew, `${object.stored} is in time`)
      assert.ok(object.stored <= Date.now() + clockSkew, `${object.stored} is not of the future`)
    })

    it('takes every name that is one, and no other', async () => {
      const long = `${'a/'.repeat(99)}zz`
      const wanted = ['A-b_c.9', 'dots..inside/.hidden', 'UPPER/lower', long].sort()
      for (const [n, each] of wanted.entries()) await put(each, bytesOf(n))
      assert.deepEqual((await names('')).sort(), wanted)
      for (const [n, each] of wanted.entries()) {
        assert.deepEqual(await at.get(each, never), bytesOf(n), each)
      }
      const wrong = [
        '',
        '/a',
        'a/',
        'a//b',
        '../a',
        'a/../b',
        'a/.',
        'a b',
        'ä',
        'a\\b',
        `${long}z`,
      ]
      for (const each of wrong) {
        await assert.rejects(put(each, bytesOf(1)), { code: 'OBJECT_NAME' }, each)
        await assert.rejects(at.get(each, never), { code: 'OBJECT_NAME' }, each)
        await assert.rejects(at.remove(each, never), { code: 'OBJECT_NAME' }, each)
      }
    })

    it('lists what begins so, and nothing else', async () => {
      for (const each of ['a/b/1', 'a/b/2', 'a/bc', 'ab/1', 'b/a/b/1']) await put(each, bytesOf(1))
      assert.deepEqual((await names('a/b/')).sort(), ['a/b/1', 'a/b/2'])
      assert.deepEqual((await names('a/b')).sort(), ['a/b/1', 'a/b/2', 'a/bc'])
      assert.deepEqual(await names('a/b/2'), ['a/b/2'])
      assert.deepEqual(await names('c'), [])
      // What a query language takes for a wildcard is a letter here.
      assert.deepEqual(await names('a_'), [])
    })

    it('lists the newest last', async () => {
      for (const [n, each] of ['net/c', 'net/a', 'net/b'].entries()) {
        await put(each, bytesOf(n))
        // The resolution of a destination's clock may be a millisecond: objects of one moment have no order.
        const stored = Date.now()
        while (Date.now() <= stored + 1) await new Promise(setImmediate)
      }
      const listed = await at.list('net/', never)
      const times = listed.map(({ stored }) => stored)
      assert.deepEqual(
        times,
        [...times].sort((a, b) => a - b),
      )
      if (new Set(times).size === 3) {
        assert.deepEqual(
          listed.map((object) => object.name),
          ['net/c', 'net/a', 'net/b'],
        )
      }
    })

    it(`lists all of ${many} objects`, async function () {
      this.timeout(timeout * 3)
      const all = Array.from({ length: many }, (_, n) => `many/${String(n).padStart(5, '0')}`)
      const left = [...all]
      const worker = async (): Promise<void> => {
        for (let next = left.pop(); next !== undefined; next = left.pop()) {
          await put(next, bytesOf(left.length, 20))
        }
      }
      await Promise.all(Array.from({ length: 8 }, worker))
      assert.deepEqual((await names('many/')).sort(), all)
    })

    it('replaces an object of the same name', async () => {
      await put('net/latest', bytesOf(1, 900))
      await put('net/latest', bytesOf(2, 40))
      assert.deepEqual(await at.get('net/latest', never), bytesOf(2, 40))
      const listed = await at.list('net/', never)
      assert.deepEqual(
        listed.map(({ size }) => size),
        [40],
      )
    })

    it('stores whole objects when several come at once', async () => {
      const sizes = [10, 200_000, 3, 70_000]
      await Promise.all(sizes.map((size, n) => put(`net/${n}`, bytesOf(n, size))))
      for (const [n, size] of sizes.entries()) {
        assert.deepEqual(await at.get(`net/${n}`, never), bytesOf(n, size))
      }
      await Promise.all(sizes.map((size, n) => put('net/same', bytesOf(n, size))))
      const same = await at.get('net/same', never)
      const n = sizes.indexOf(same.length)
      assert.deepEqual(same, bytesOf(n, sizes[n]))
      assert.equal((await names('net/same')).length, 1)
    })

    it('says what it does not have', async () => {
      await assert.rejects(at.get('net/none', never), { code: 'OBJECT_NOT_FOUND' })
      await put('net/some/where', bytesOf(1))
      await assert.rejects(at.get('net/some', never), { code: 'OBJECT_NOT_FOUND' })
      await assert.rejects(at.get('net/some/wher', never), { code: 'OBJECT_NOT_FOUND' })
    })

    it('reads no more than it is told to', async () => {
      await put('net/a.car', bytesOf(1, 1000))
      assert.deepEqual(await at.get('net/a.car', never, 1000), bytesOf(1, 1000))
      await assert.rejects(at.get('net/a.car', never, 900), { code: 'DESTINATION_FAILED' })
    })

    it('removes, once and again', async () => {
      await put('net/gone', bytesOf(1))
      await put('net/gone-not', bytesOf(2))
      await at.remove('net/gone', never)
      await at.remove('net/gone', never)
      await at.remove('net/never-there', never)
      await assert.rejects(at.get('net/gone', never), { code: 'OBJECT_NOT_FOUND' })
      assert.deepEqual(await names('net/'), ['net/gone-not'])
      await put('net/gone', bytesOf(3))
      assert.deepEqual(await at.get('net/gone', never), bytesOf(3))
    })

    it('is the same for another process', async () => {
      const other = await opened.again()
      others.push(other)
      await put('net/shared', bytesOf(1))
      assert.deepEqual(await other.get('net/shared', never), bytesOf(1))
      assert.deepEqual(
        (await other.list('net/', never)).map((object) => object.name),
        ['net/shared'],
      )
      await other.put('net/shared', bytesOf(2), { signal: never })
      assert.deepEqual(await at.get('net/shared', never), bytesOf(2), 'it reads no cache')
      await other.remove('net/shared', never)
      await assert.rejects(at.get('net/shared', never), { code: 'OBJECT_NOT_FOUND' })
    })

    it('does nothing when it is told to stop', async () => {
      await put('net/kept', bytesOf(1))
      const reason = new Error('told to stop')
      const signal = AbortSignal.abort(reason)
      await assert.rejects(at.put('net/new', bytesOf(2), { signal }), reason)
      await assert.rejects(at.get('net/kept', signal), reason)
      await assert.rejects(at.list('net/', signal), reason)
      await assert.rejects(at.remove('net/kept', signal), reason)
      assert.deepEqual(await names('net/'), ['net/kept'])
    })

    it('leaves nothing or everything when it is told to stop in between', async () => {
      const controller = new AbortController()
      const reason = new Error('told to stop')
      const bytes = bytesOf(5, 2_000_000)
      const storing = at.put('net/half', bytes, { signal: controller.signal })
      setImmediate(() => controller.abort(reason))
      const stored = await storing.then(
        () => true,
        (error: unknown) => {
          assert.equal(error, reason)
          return false
        },
      )
      if (stored || (await names('net/half')).length > 0) {
        assert.deepEqual(await at.get('net/half', never), bytes)
      }
    })

    it('keeps contents of files for a disk that is wiped', async () => {
      const world = await createContentsWorld()
      const ends: (() => Promise<void>)[] = [world.end]
      const place = (...args: Parameters<typeof world.place>) => {
        const made = world.place(...args)
        ends.push(made.stop)
        return made
      }
      try {
        const bytes = bytesOf(1, 3_000_000)
        const { root, size } = await world.add('large.bin', bytes)
        await world.add('small.txt', Buffer.from('words'))
        const first = place(at)
        first.saved(key.recipient)
        await first.flush('all', never)
        const objects = await names('contents/')
        assert.deepEqual(
          first.state()?.waiting,
          { files: 0, bytes: 0 },
          first.state()?.lastError?.message,
        )
        const disk = await world.wiped()
        const later = await opened.again()
        others.push(later)
        const second = place(later, { disk })
        const brought = await world.bring(disk, second)
        assert.deepEqual([brought.files, brought.problems], [2, []])
        assert.ok(Buffer.from(await disk.read(root, size)).equals(bytes))
        second.saved(key.recipient)
        await second.flush('all', never)
        assert.deepEqual((await second.verify(true, never))?.problems, [])
        assert.deepEqual(await names('contents/'), objects, 'nothing is written again')
      } finally {
        for (const end of ends.reverse()) await end()
      }
    })

    it('closes twice', async () => {
      await at.close()
      await at.close()
    })
  })
}
