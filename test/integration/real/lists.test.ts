/** Lists of a real node over HTTP: how they go on. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { freePort, type RealNode, startRealNode } from '../../helpers/real-node.ts'

describe('lists of a real node', function () {
  this.timeout(60_000)
  // Not a timer: it would run from the load of this file on. Each test has its own limit.
  const { signal } = new AbortController()
  let directory: string
  let node: RealNode

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cairn-lists-'))
    node = await startRealNode({
      dataDir: join(directory, 'a'),
      name: 'Ada',
      peerPort: await freePort(),
    })
    for (const name of ['a', 'b', 'c']) {
      const query = { name, visibility: 'public' }
      const body = Readable.from([Buffer.from(name)])
      await node.client.work('POST', '/api/v1/files', { query, body }, signal)
    }
  })
  after(async () => {
    await node?.stop()
    await rm(directory, { recursive: true, force: true })
  })

  for (const path of ['/api/v1/files', '/api/v1/records']) {
    it(`${path}: page by page, each entry once`, async () => {
      const seen: unknown[] = []
      let after: string | undefined
      do {
        const query = { limit: 1, after }
        const page = await node.client.get<{ items: unknown[]; next: string | null }>(
          path,
          query,
          signal,
        )
        seen.push(...page.items.map((item) => JSON.stringify(item)))
        after = page.next ?? undefined
        assert.ok(seen.length < 100)
      } while (after !== undefined)
      assert.ok(seen.length >= 3)
      assert.equal(new Set(seen).size, seen.length)
    })
    it(`${path}: CURSOR_UNKNOWN for a place that is not on it`, async () => {
      for (const after of ['x', 'bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy']) {
        await assert.rejects(node.client.get(path, { after }, signal), {
          code: 'CURSOR_UNKNOWN',
          message: /from the beginning/,
        })
      }
    })
  }
})
