import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { CarReader } from '@ipld/car/reader'
import { type ImportCandidate, importer } from 'ipfs-unixfs-importer'
import { CID } from 'multiformats/cid'
import { silentLogger } from '../../../src/common/logger.ts'
import { createGateway } from '../../../src/interfaces/gateway/gateway.ts'
import type { WebServer } from '../../../src/interfaces/http/listener.ts'
import { createFakeNode } from '../../unit/interfaces/fake-node.ts'
import { type Ask, ask, type Reply } from '../../unit/interfaces/request.ts'

describe('gateway', () => {
  const fake = createFakeNode()
  const big = randomBytes(5_000_000)
  let server: WebServer
  let file: CID
  let folder: CID
  let sharded: CID

  async function put(source: ImportCandidate[], sharding = 262_144): Promise<CID> {
    let root: CID | undefined
    const options = {
      cidVersion: 1,
      rawLeaves: true,
      wrapWithDirectory: source.length > 1,
    } as const
    for await (const entry of importer(source, fake.store, {
      ...options,
      shardSplitThresholdBytes: sharding,
    })) {
      root = entry.cid
    }
    assert.ok(root)
    fake.roots.add(root.toString())
    return root
  }
  const text = (path: string, content: string): ImportCandidate => ({
    path,
    content: Buffer.from(content),
  })

  before(async () => {
    file = await put([{ content: big }])
    folder = await put([
      text('a b.txt', 'hello'),
      text('sub/page.html', '<html><script>alert(1)</script>'),
      text('site/index.html', '<!doctype html>home'),
      text('site/x', 'x'),
    ])
    const many = Array.from({ length: 300 }, (_, index) =>
      text(`file-${index}.txt`, `content ${index}`),
    )
    sharded = await put(many, 1)
    server = createGateway(
      { content: fake.node.content, logger: silentLogger },
      { host: '127.0.0.1', port: 0, allowedHosts: [], blockMs: 100 },
    )
    await server.start()
  })
  after(() => server.stop())

  const at = (path: string, options: Ask = {}): Promise<Reply> =>
    ask(`${server.url}${path}`, options)

  it('a file, whole', async () => {
    const reply = await at(`/ipfs/${file}?filename=film.mp4`)
    assert.equal(reply.status, 200)
    assert.ok(reply.body.equals(big))
    assert.equal(reply.headers['content-type'], 'video/mp4')
    assert.equal(reply.headers['content-length'], '5000000')
    assert.equal(reply.headers.etag, `"${file}"`)
    assert.equal(reply.headers['cache-control'], 'public, max-age=29536000, immutable')
    assert.equal(reply.headers['x-ipfs-path'], `/ipfs/${file}`)
    assert.equal(reply.headers['x-ipfs-roots'], `${file}`)
    assert.equal(reply.headers['x-content-type-options'], 'nosniff')
    assert.equal(reply.headers['content-disposition'], 'inline; filename="film.mp4"')
    const download = await at(`/ipfs/${file}?download=true&filename=film.mp4`, { method: 'HEAD' })
    assert.equal(download.headers['content-disposition'], 'attachment; filename="film.mp4"')
    assert.deepEqual([download.status, download.body.length], [200, 0])
    assert.equal(download.headers['content-length'], '5000000')
  })
  it('ranges', async () => {
    const cases: [string, number, number][] = [
      ['bytes=0-0', 0, 1],
      ['bytes=262143-262145', 262_143, 262_146],
      ['bytes=1000000-3999999', 1_000_000, 4_000_000],
      ['bytes=-1', 4_999_999, 5_000_000],
      ['bytes=4999999-', 4_999_999, 5_000_000],
    ]
    for (const [range, start, end] of cases) {
      const reply = await at(`/ipfs/${file}`, { headers: { range } })
      assert.equal(reply.status, 206)
      assert.equal(reply.headers['content-range'], `bytes ${start}-${end - 1}/5000000`)
      assert.ok(reply.body.equals(big.subarray(start, end)), range)
    }
    const outside = await at(`/ipfs/${file}`, { headers: { range: 'bytes=5000000-' } })
    assert.deepEqual([outside.status, outside.headers['content-range']], [416, 'bytes */5000000'])
    assert.equal(outside.headers['cache-control'], 'no-store')
    for (const range of ['bytes=0-1,3-4', 'lines=1-2', 'bytes=5-1']) {
      assert.equal((await at(`/ipfs/${file}`, { headers: { range } })).status, 200, range)
    }
  })
  it('ETag and If-None-Match for each form', async () => {
    for (const query of ['', '?format=raw', '?format=car', '?format=car&dag-scope=block']) {
      const { etag = '' } = (await at(`/ipfs/${file}${query}`, { method: 'HEAD' })).headers
      const again = await at(`/ipfs/${file}${query}`, {
        headers: { 'if-none-match': `"x", ${etag}` },
      })
      assert.deepEqual([again.status, again.body.length], [304, 0], query)
      assert.equal(
        (await at(`/ipfs/${file}${query}`, { headers: { 'if-none-match': '"x"' } })).status,
        200,
      )
    }
  })
  it('raw: one block, by query or Accept, that hashes to its CID', async () => {
    for (const options of [
      { path: '?format=raw' },
      { path: '', headers: { accept: 'application/vnd.ipld.raw' } },
    ]) {
      const reply = await at(
        `/ipfs/${file}${options.path}`,
        options.headers === undefined ? {} : { headers: options.headers },
      )
      assert.equal(reply.headers['content-type'], 'application/vnd.ipld.raw')
      assert.equal(reply.headers['content-disposition'], `attachment; filename="${file}.bin"`)
      assert.equal(reply.headers.etag, `"${file}.raw"`)
      const digest = createHash('sha256').update(reply.body).digest()
      assert.ok(digest.equals(file.multihash.digest))
    }
  })

  async function carBlocks(
    path: string,
    options: Ask = {},
  ): Promise<{ roots: string[]; cids: string[]; bytes: Buffer }> {
    const reply = await at(path, options)
    assert.equal(reply.status, 200, reply.text.slice(0, 200))
    assert.match(
      reply.headers['content-type'] ?? '',
      /^application\/vnd\.ipld\.car; version=1; order=dfs; dups=n$/,
    )
    const reader = await CarReader.fromBytes(reply.body)
    const cids: string[] = []
    for await (const { cid, bytes } of reader.blocks()) {
      assert.ok(createHash('sha256').update(bytes).digest().equals(cid.multihash.digest))
      cids.push(cid.toString())
    }
    return { roots: (await reader.getRoots()).map(String), cids, bytes: reply.body }
  }
  it('car: the whole tree, depth first, the same bytes each time', async () => {
    const first = await carBlocks(`/ipfs/${file}?format=car`)
    const second = await carBlocks(`/ipfs/${file}`, {
      headers: { accept: 'application/vnd.ipld.car; version=1' },
    })
    assert.ok(first.bytes.equals(second.bytes))
    assert.deepEqual(first.roots, [file.toString()])
    assert.equal(first.cids[0], file.toString())
    assert.equal(first.cids.length, new Set(first.cids).size)
    assert.equal(first.cids.length, 1 + Math.ceil(big.length / 262_144))
  })
  it('car: scopes and ranges', async () => {
    assert.equal((await carBlocks(`/ipfs/${file}?format=car&dag-scope=block`)).cids.length, 1)
    const part = '?format=car&dag-scope=entity&entity-bytes='
    assert.equal((await carBlocks(`/ipfs/${file}${part}0:0`)).cids.length, 2)
    assert.equal((await carBlocks(`/ipfs/${file}${part}1048575:1048576`)).cids.length, 3)
    assert.equal((await carBlocks(`/ipfs/${file}${part}-1:*`)).cids.length, 2)
    const path = await carBlocks(`/ipfs/${folder}/sub/page.html?format=car`)
    assert.equal(path.cids[0], folder.toString())
    assert.equal(path.cids.length, 3)
    assert.equal((await carBlocks(`/ipfs/${folder}?format=car&dag-scope=entity`)).cids.length, 1)
  })
  it('paths, folders, index.html', async () => {
    const hello = await at(`/ipfs/${folder}/a%20b.txt`)
    assert.deepEqual(
      [hello.text, hello.headers['content-type']],
      ['hello', 'text/plain; charset=utf-8'],
    )
    assert.equal(hello.headers['x-ipfs-path'], `/ipfs/${folder}/a%20b.txt`)
    const list = await at(`/ipfs/${folder}`)
    assert.match(list.text, /<a href="\/ipfs\/\w+\/a%20b.txt">a b.txt<\/a>/)
    assert.match(String(list.headers['content-security-policy']), /sandbox/)
    const move = await at(`/ipfs/${folder}/site`)
    assert.deepEqual([move.status, move.headers.location], [301, `/ipfs/${folder}/site/`])
    assert.equal((await at(`/ipfs/${folder}/site/`)).text, '<!doctype html>home')
    assert.equal((await at(`/ipfs/${sharded}/file-237.txt`)).text, 'content 237')
    assert.equal(((await at(`/ipfs/${sharded}`)).text.match(/<li>/g) ?? []).length, 300)
  })
  it('pages are shown, but run nothing', async () => {
    const page = await at(`/ipfs/${folder}/sub/page.html`)
    assert.equal(page.headers['content-type'], 'text/html; charset=utf-8')
    assert.match(String(page.headers['content-security-policy']), /^sandbox;/)
    const hidden = await put([{ content: Buffer.from('  <HTML><script>1</script>') }])
    assert.match(
      String((await at(`/ipfs/${hidden}`)).headers['content-security-policy']),
      /^sandbox;/,
    )
    const picture = await put([{ content: Buffer.from('89504e470d0a1a0a00', 'hex') }])
    assert.equal((await at(`/ipfs/${picture}`)).headers['content-type'], 'image/png')
  })
  it('refuses, in words', async () => {
    const cases: [string, Ask, number, RegExp][] = [
      ['/', {}, 400, /\/ipfs\/<cid>/],
      ['/ipfs/', {}, 400, /\/ipfs\/<cid>/],
      ['/ipfs/nocid', {}, 400, /nocid is not a CID/],
      [`/ipfs/${file}?format=tar`, {}, 400, /raw and car/],
      [
        `/ipfs/${file}`,
        { headers: { accept: 'application/vnd.ipld.car; version=2' } },
        400,
        /raw and car/,
      ],
      [`/ipfs/${file}?format=car&dag-scope=x`, {}, 400, /block, entity, all/],
      [`/ipfs/${file}?format=car&entity-bytes=x`, {}, 400, /entity-bytes/],
      [`/ipfs/${file}/below`, {}, 404, /There is no below/],
      [`/ipfs/${folder}/none`, {}, 404, /There is no none/],
      [`/ipfs/${folder}/%2e%2e%2fx`, {}, 404, /There is no \.\.\/x/],
      [`/ipfs/${folder}/%zz`, {}, 400, /%/],
      [`/ipfs/${file}`, { method: 'POST', body: 'x' }, 405, /GET, HEAD/],
      [`/ipfs/${file}`, { headers: { host: 'evil.example' } }, 421, /evil\.example/],
      [
        '/ipfs/bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy',
        {},
        404,
        /Nothing public/,
      ],
    ]
    for (const [path, options, status, says] of cases) {
      const reply = await at(path, options)
      assert.equal(reply.status, status, path)
      assert.match(reply.text, says)
      assert.equal(reply.headers['content-type'], 'text/plain; charset=utf-8')
      assert.equal(reply.headers['cache-control'], 'no-store')
    }
  })
  it('GATEWAY_TIMEOUT when no device brings the block; a stream under way is cut, not ended', async () => {
    const lost = await put([{ content: Buffer.from('lost') }])
    fake.missing.add(lost.toString())
    assert.equal((await at(`/ipfs/${lost}`)).status, 504)
    const { cids } = await carBlocks(`/ipfs/${file}?format=car`)
    fake.missing.add(cids[3] ?? '')
    await assert.rejects(at(`/ipfs/${file}?format=car`))
    await assert.rejects(at(`/ipfs/${file}`))
    fake.missing.clear()
  })
  it('every answer has a request id; errors are JSON for who asks for it', async () => {
    const own = await at(`/ipfs/${file}`, { headers: { 'x-request-id': 'mine-1' } })
    assert.equal(own.headers['x-request-id'], 'mine-1')
    const text = await at('/ipfs/nonsense')
    assert.match(String(text.headers['x-request-id']), /^[\da-f-]{36}$/)
    const accept = { accept: 'text/plain;q=0.5, application/json' }
    const json = await at('/ipfs/nonsense', { headers: accept })
    assert.equal(json.headers['content-type'], 'application/json; charset=utf-8')
    assert.equal(json.status, text.status)
    const { code, message } = json.json.error
    assert.deepEqual([code, `${message}\n`], ['CID_INVALID', text.text])
    const refused = await at('/ipfs/x', { method: 'POST', headers: { accept: 'application/json' } })
    assert.deepEqual([refused.status, refused.json.error.code], [405, 'METHOD_NOT_ALLOWED'])
  })
  it('an identity CID carries its own bytes', async () => {
    assert.equal((await at(`/ipfs/${CID.parse('bafkqabtimvwgy3yk')}`)).text, 'hello\n')
  })
})
