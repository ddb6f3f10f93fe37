import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../../src/common/clock.ts'
import {
  createCidFile,
  keepCids,
  type StoredCid,
} from '../../../src/services/backup/destinations/cids.ts'
import { createFolderDestination } from '../../../src/services/backup/destinations/folder.ts'
import { createRenderKeeper } from '../../../src/services/backup/destinations/render.ts'
import { destinationsFrom } from '../../../src/services/backup/from-environment.ts'
import {
  json,
  type LocalService,
  type Reply,
  type Request,
  serve,
} from '../../helpers/backup/local-service.ts'
import { cidOf, PINATA_KEYS, startPinata } from '../../helpers/backup/pinata.ts'

const never = new AbortController().signal
const stored = (name: string): StoredCid => ({
  name,
  cid: `cid-of-${name}`,
  link: `https://gateway.example/ipfs/cid-of-${name}`,
  size: 3,
  stored: 1_768_404_645_000,
})

/** Render's API of a service's environment variables (https://api-docs.render.com). */
function render(variables: Map<string, string>): (request: Request) => Reply {
  return ({ method, url, headers, body }) => {
    if (headers.authorization !== 'Bearer render-key') return json(401, { message: 'unauthorized' })
    const key = /^\/v1\/services\/srv-1\/env-vars\/(\w+)$/.exec(url.pathname)?.[1]
    if (key === undefined || method !== 'PUT') return json(404, { message: 'not found' })
    const value: unknown = JSON.parse(body.toString())
    assert.ok(typeof value === 'object' && value !== null && 'value' in value)
    assert.equal(headers['content-type'], 'application/json')
    variables.set(key, String(value.value))
    return json(200, { key, value: value.value })
  }
}

describe('where CIDs are kept', () => {
  let folder: string
  let host: LocalService
  let variables: Map<string, string>
  const warnings: unknown[] = []
  /** Also when a test fails: a server that is left holds up the run. */
  const ends: (() => Promise<void>)[] = []
  const logger = { warn: (_: string, fields?: unknown) => void warnings.push(fields) }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cairn-cids-'))
    variables = new Map()
    host = await serve(render(variables))
    warnings.length = 0
  })
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
    await host.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const file = () =>
    createCidFile({
      folder: createFolderDestination({ clock: systemClock }, { path: folder }),
      file: 'cids.json',
    })
  const keeper = (apiKey = 'render-key') =>
    createRenderKeeper(
      { clock: systemClock },
      {
        apiKey,
        serviceId: 'srv-1',
        api: new URL(`${host.origin}/v1`),
        wanted: (name) => name.startsWith('manifests/'),
      },
    )

  it('a file keeps them, one for each name, the newest last', async () => {
    const cids = file()
    assert.deepEqual(await cids.all(never), [])
    await Promise.all(['a', 'b', 'a'].map((name) => cids.keep(stored(name), never)))
    assert.deepEqual(await file().all(never), [stored('b'), stored('a')])
    await writeFile(join(folder, 'cids.json'), 'no list')
    assert.deepEqual(await cids.all(never), [])
    await cids.keep(stored('c'), never)
    assert.deepEqual(await cids.all(never), [stored('c')])
  })

  it('D2 the host keeps the one from which a restore can begin', async () => {
    await keeper().keep(stored('segments/1'), never)
    assert.equal(variables.size, 0)
    await keeper().keep(stored('manifests/1'), never)
    assert.deepEqual([...variables], [['CAIRN_BACKUP_CID', 'cid-of-manifests/1']])
  })

  it('a host that refuses is a warning while another place keeps them', async () => {
    const keep = keepCids({ logger }, [file(), keeper('wrong')])
    await keep(stored('manifests/1'), never)
    assert.equal(warnings.length, 1)
    assert.doesNotMatch(JSON.stringify(warnings), /wrong/)
    const nowhere = keepCids({ logger }, [keeper('wrong')])
    await assert.rejects(nowhere(stored('manifests/1'), never), { code: 'DESTINATION_REFUSED' })
  })

  it('D2 C3 an upload from the environment is kept at Pinata, in the file and at the host', async () => {
    const server = await startPinata()
    ends.push(() => server.stop())
    const { plans, faults } = destinationsFrom({
      PINATA_JWT: PINATA_KEYS.jwt,
      PINATA_API_URL: server.origin,
      PINATA_GATEWAY_URL: server.origin,
      RENDER_API_KEY: 'render-key',
      RENDER_SERVICE_ID: 'srv-1',
      RENDER_API_URL: `${host.origin}/v1`,
    })
    assert.deepEqual(faults, [])
    const cids = file()
    const destination = await plans[0]?.open({
      clock: systemClock,
      logger,
      cidKeepers: [cids],
      isRestorePoint: (name) => name.startsWith('manifests/'),
    })
    assert.ok(destination)
    ends.push(() => destination.close())
    const bytes = Uint8Array.of(1, 2, 3)
    const places: string[][] = []
    const onPlace = (...place: string[]) => void places.push(place)
    await destination.put('manifests/1', bytes, { signal: never, onPlace })
    const cid = cidOf(bytes)
    assert.deepEqual(places, [[cid, `${server.origin}/ipfs/${cid}`]])
    assert.equal((await cids.all(never))[0]?.cid, cid)
    assert.equal((await cids.all(never))[0]?.link, `${server.origin}/ipfs/${cid}`)
    assert.equal(variables.get('CAIRN_BACKUP_CID'), cid)
    assert.equal(server.pins.get(cid)?.metadata.keyvalues.object, 'manifests/1')
  })
})
