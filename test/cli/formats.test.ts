/** Data directories that older versions wrote open with this one, with everything in them. */
import assert from 'node:assert/strict'
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FileSummary } from '../../src/services/files/types.ts'
import type { Page } from '../../src/services/page.ts'
import { freePort, startRealNode } from '../helpers/real-node.ts'

const FIXTURES = join(import.meta.dirname, '../fixtures')

describe('data directories of older formats', () => {
  it('every one opens, lists and gives what it held', async function () {
    this.timeout(120_000)
    const formats = (await readdir(FIXTURES)).filter((name) => name.startsWith('format-'))
    assert.ok(formats.length > 0)
    for (const format of formats) {
      const directory = await mkdtemp(join(tmpdir(), 'cairn-format-'))
      try {
        const dataDir = join(directory, 'data')
        await cp(join(FIXTURES, format), dataDir, { recursive: true })
        const expected: Record<string, string> = JSON.parse(
          await readFile(join(dataDir, 'EXPECTED.json'), 'utf8'),
        )
        const node = await startRealNode({ dataDir, name: 'Ada', peerPort: await freePort() })
        try {
          const signal = AbortSignal.timeout(60_000)
          const page = await node.client.get<Page<FileSummary>>('/api/v1/files', {}, signal)
          const names = page.items.map(({ name }) => name).sort()
          assert.deepEqual(names, Object.keys(expected).sort(), format)
          for (const { local, pending } of page.items) assert.ok(local && !pending, format)
        } finally {
          await node.stop()
        }
      } finally {
        await rm(directory, { recursive: true, force: true })
      }
    }
  })
})
