/** Data directories that older versions wrote open with this one, with everything in them. */
import assert from 'node:assert/strict'
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from '../../src/interfaces/client/client.ts'
import type {
  AccessView,
  DeviceSummary,
  GrantView,
  InviteView,
  UserSummary,
} from '../../src/interfaces/http/api.ts'
import type { ChainVerification } from '../../src/interfaces/http/api-chain.ts'
import type { FileSummary, Vote } from '../../src/interfaces/http/api-files.ts'
import { freePort, startRealNode } from '../helpers/real-node.ts'

const FIXTURES = join(import.meta.dirname, '../fixtures')
/** What a database of the newest format has in its header. */
const NEWEST = 4

describe('data directories of older formats', function () {
  this.timeout(120_000)
  let directory: string

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cairn-format-'))
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  for (const format of [1, 3]) {
    it(`format ${format} opens, lists and gives what it held`, async () => {
      const dataDir = join(directory, 'data')
      await cp(join(FIXTURES, `format-${format}`), dataDir, { recursive: true })
      assert.equal(await formatOf(dataDir), format)
      const expected = JSON.parse(await readFile(join(dataDir, 'EXPECTED.json'), 'utf8'))
      const node = await startRealNode({ dataDir, name: 'Ada', peerPort: await freePort() })
      try {
        assert.deepEqual(await factsOf(node.client), expected)
        const signal = AbortSignal.timeout(60_000)
        const path = '/api/v1/chain/verify'
        const found = await node.client.call<ChainVerification>('POST', path, {}, signal)
        assert.deepEqual([found.ok, found.problem], [true, null])
      } finally {
        await node.stop()
      }
      assert.equal(await formatOf(dataDir), NEWEST)
    })
  }

  it('each one is looked at, the newest too', async () => {
    const formats = (await readdir(FIXTURES)).filter((name) => name.startsWith('format-'))
    assert.deepEqual(formats.sort(), ['format-1', 'format-3', `format-${NEWEST}`])
  })
})

/** `user_version` in the header of the database's file. */
async function formatOf(dataDir: string): Promise<number> {
  return (await readFile(join(dataDir, 'cairn.sqlite'))).readUInt32BE(60)
}

/** What there is, in the words of EXPECTED.json. */
async function factsOf(client: Client): Promise<unknown> {
  const signal = AbortSignal.timeout(60_000)
  const items = async <T>(path: string): Promise<T[]> =>
    (await client.get<{ items: T[] }>(`/api/v1/${path}`, {}, signal)).items
  const users = await items<UserSummary>('users')
  const devices = await items<DeviceSummary>('devices')
  const invites = new Map<string, number>()
  for (const { state } of await items<InviteView>('invites')) {
    invites.set(state, (invites.get(state) ?? 0) + 1)
  }
  const files: [string, unknown][] = []
  for (const { file, name, visibility, versions, local, pending } of await items<FileSummary>(
    'files',
  )) {
    assert.ok(local && !pending && name !== null, name ?? file)
    const votes = (await items<Vote>(`files/${file}/votes`)).map(
      ({ user, verdict, comment }) => `${user.name}: ${verdict}, ${comment}`,
    )
    const grants = (await items<GrantView>(`files/${file}/grants`)).map(
      ({ user, status, left }) => `${user.name}: ${status}, ${left} left`,
    )
    const accesses = (await items<AccessView>(`files/${file}/access-log`)).map(
      ({ user, outcome }) => `${user.name}: ${outcome}`,
    )
    const content = await client.open('GET', `/api/v1/files/${file}/content`, {}, signal)
    const text = Buffer.concat(await content.toArray()).toString()
    const lists = Object.entries({ votes, grants, accesses }).filter(([, all]) => all.length > 0)
    files.push([name, { text, visibility, versions, ...Object.fromEntries(lists) }])
  }
  return {
    users: users.map(({ name }) => name).sort(),
    devices: Object.fromEntries(devices.map(({ name, active }) => [name, active])),
    invites: Object.fromEntries(invites),
    files: Object.fromEntries(files),
  }
}
