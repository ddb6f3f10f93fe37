import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { CairnNode } from '../../../src/node/node.ts'
import { destinationsFrom } from '../../../src/services/backup/from-environment.ts'
import { encodeLegacy } from '../../../src/services/legacy/container.ts'
import { until } from '../network/nodes.ts'
import {
  addressOf,
  createPeopleNetwork,
  type PeopleNetwork,
  settled,
  WAIT_MS,
} from '../people/network-of-people.ts'
import { type Call, type CheckedApi, createCheckedApi } from './checked-api.ts'

const FILES = '/api/v1/files'
const FILE = '/api/v1/files/{id}'
const LINES = { accept: 'application/x-ndjson' }

describe('the OpenAPI document', function () {
  this.timeout(120_000)
  let people: PeopleNetwork
  let adaNode: CairnNode
  let benNode: CairnNode
  let ada: CheckedApi
  let ben: CheckedApi

  before(async () => {
    people = await createPeopleNetwork()
    const { plans, faults } = destinationsFrom({ CAIRN_BACKUP_FOLDER: people.dirOf('second disk') })
    adaNode = await people.start('Ada', { backups: { plans, faults, given: {} } })
    ada = await createCheckedApi(adaNode)
    benNode = await joined('Ben', 'member')
    ben = await createCheckedApi(benNode)
  })
  after(async () => {
    await ada?.stop()
    await ben?.stop()
    await people.end()
  })

  /** A node that came in by an invite over the API. */
  async function joined(name: string, kind: string): Promise<CairnNode> {
    const made = await ada.call('POST', '/api/v1/invites', { json: { kind }, status: 201 })
    await people.join(name, made.json.code)
    const node = await people.start(name)
    await settled(adaNode, node)
    return node
  }
  const added = async (visibility: string, name: string, call: Call = {}): Promise<string> => {
    const query = `?visibility=${visibility}&name=${name}`
    const reply = await ada.call('POST', FILES, { query, body: `of ${name}`, status: 201, ...call })
    if (call.headers === undefined) return reply.json.file
    return JSON.parse(reply.text.trim().split('\n').at(-1) ?? '').result.file
  }
  const confirmed = (api: CheckedApi, record: string) =>
    api.call('GET', '/api/v1/records/{id}', { params: [record], query: '?wait=confirmed' })
  const knows = (file: string): Promise<void> =>
    until(
      () => benNode.files.list({ limit: 100 }).items.some((one) => one.file === file),
      'Ben knows of the file',
      WAIT_MS,
    )

  it('is valid itself: each schema, and each answer in JSON has one', async () => {
    const { json } = await ada.call('GET', '/openapi.json')
    const ajv = new Ajv2020({ strict: false })
    for (const [name, schema] of Object.entries(json.components.schemas)) {
      assert.equal(ajv.validateSchema(schema as object), true, name)
    }
    const text = JSON.stringify(json)
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      assert.ok(name !== undefined && name in json.components.schemas, name)
    }
    assert.doesNotMatch(text, /"application\/json":\{\}/)
  })

  it('the node, its chain, its people', async () => {
    await ada.call('GET', '/health')
    await ada.call('GET', '/api/v1/status')
    await ada.call('GET', '/metrics')
    await ada.call('GET', '/api/v1/checks', { query: '?deep=true' })
    await ada.call('GET', '/api/v1/users')
    await ada.call('GET', '/api/v1/devices')
    await ada.call('GET', '/api/v1/peers')
    await ben.call('GET', '/api/v1/peers/export')
    const json = { address: addressOf(adaNode) }
    await ben.call('POST', '/api/v1/peers', { json, status: 201 })
    await ada.call('GET', '/api/v1/chain')
    await ada.call('GET', '/api/v1/chain/blocks', { query: '?limit=1' })
    await ada.call('GET', '/api/v1/chain/blocks', { query: '?limit=1000' })
    for (const id of ['0', '1']) {
      await ada.call('GET', '/api/v1/chain/blocks/{id}', { params: [id] })
    }
    await ada.call('POST', '/api/v1/chain/verify')
    await ada.call('POST', '/api/v1/chain/verify', { headers: LINES })
    await ada.call('GET', '/api/v1/chain/export')
    const { json: records } = await ada.call('GET', '/api/v1/records')
    for (const { record } of records.items) await confirmed(ada, record)
  })

  it('public files and what is thought of them', async () => {
    const file = await added('public', 'open.txt')
    await added('public', 'lines.txt', { headers: LINES, status: 200 })
    const params = [file]
    const version = { params, body: 'second', status: 201 }
    const { json } = await ada.call('POST', `${FILE}/versions`, version)
    await ada.call('POST', `${FILE}/versions`, { ...version, headers: LINES, status: 200 })
    await confirmed(ada, json.record)
    await ada.call('GET', FILES, { query: '?limit=1' })
    await ada.call('GET', FILES, { query: '?limit=1000&all=true' })
    await ada.call('GET', FILE, { params })
    await ada.call('GET', `${FILE}/history`, { params })
    const { headers } = await ada.call('GET', `${FILE}/content`, { params })
    const etag = { 'if-none-match': String(headers.etag) }
    await ada.call('GET', `${FILE}/content`, { params, headers: etag, status: 304 })
    const range = { range: 'bytes=0-1' }
    await ada.call('GET', `${FILE}/content`, { params, headers: range, status: 206 })
    await ada.call('GET', `${FILE}/certificate`, { params, query: '?version=1' })
    await knows(file)
    const vote = { verdict: 'authentic', comment: 'I saw it' }
    await ben.call('POST', `${FILE}/votes`, { params, json: vote, status: 201 })
    await ben.call('GET', `${FILE}/votes`, { params })
    await ben.call('POST', `${FILE}/fetch`, { params })
    await ben.call('POST', `${FILE}/keep`, { params })
    await ben.call('POST', `${FILE}/free`, { params })
    const removed = await ada.call('DELETE', FILE, { params })
    await confirmed(ada, removed.json.record)
    await ada.call('GET', FILE, { params })
  })

  it('B5 the vault of a forerunner', async () => {
    const body =
      '--X\r\nContent-Disposition: form-data; name="file"; filename="deed.txt"\r\n\r\nmine\r\n--X--\r\n'
    const headers = { 'content-type': 'multipart/form-data; boundary=X' }
    const { json } = await ada.call('POST', '/vault', { body, headers, status: 201 })
    const { json: listed } = await ada.call('GET', '/vault', { query: '?limit=10' })
    const items: { file: string; visibility: string }[] = listed.items
    assert.equal(items.find(({ file }) => file === json.file)?.visibility, 'private')
  })

  it('private files and who reads them', async () => {
    const file = await added('private', 'poem.txt')
    const params = [file]
    await knows(file)
    await ben.call('GET', FILE, { params })
    const grant = { user: 'Ben', downloads: 9, expires: Date.now() + 3_600_000 }
    const given = await ada.call('POST', `${FILE}/grants`, { params, json: grant, status: 201 })
    await confirmed(ada, given.json.grant)
    await until(() => benNode.files.info(file).name !== null, 'the name is open', WAIT_MS)
    await ben.call('POST', `${FILE}/fetch`, { params, headers: LINES })
    await ben.call('POST', `${FILE}/unlock`, { params })
    await ben.call('POST', `${FILE}/unlock`, { params, headers: LINES })
    await ada.call('GET', `${FILE}/grants`, { params })
    await ada.call('GET', '/api/v1/grants')
    const { json: log } = await ada.call('GET', `${FILE}/access-log`, { params })
    assert.equal(log.items.at(-1).outcome, 'released')
    await ada.call('GET', `${FILE}/history`, { params })
    const device = benNode.identity.deviceName
    const holder = { params, json: { device }, status: 201 }
    const { json } = await ada.call('POST', `${FILE}/holders`, holder)
    await confirmed(ada, json.record)
    await ada.call('GET', `${FILE}/holders`, { params })
    await ada.call('DELETE', `${FILE}/holders/{device}`, { params: [file, device] })
    await ada.call('POST', `${FILE}/rekey`, { params })
    await ada.call('POST', `${FILE}/rekey`, { params, headers: LINES })
    await ada.call('DELETE', `${FILE}/grants/{user}`, { params: [file, 'Ben'] })
    const denied = await ben.call('POST', `${FILE}/fetch`, { params, status: 403 })
    assert.equal(denied.json.error.code, 'ACCESS_DENIED')
    await ada.call('GET', `${FILE}/access-log`, { params })
    await ada.call('POST', `${FILE}/publish`, { params })
    const other = { params: [await added('private', 'prose.txt')], headers: LINES }
    await ada.call('POST', `${FILE}/publish`, other)
  })

  it('what a forerunner had stored', async () => {
    const folder = new URL('../../fixtures/legacy/', import.meta.url)
    const parts = await Promise.all(
      (['blockchain', 'verifications', 'contracts'] as const).map(async (kind) => ({
        kind,
        bytes: new Uint8Array(await readFile(new URL(`${kind}.json`, folder))),
      })),
    )
    const body = encodeLegacy(parts)
    const { json } = await ada.call('POST', '/api/v1/legacy', { body, status: 201 })
    await confirmed(ada, json.record)
    await ada.call('GET', '/api/v1/legacy')
    await ada.call('GET', '/api/v1/legacy/{id}', { params: [json.record] })
    await ada.call('GET', '/api/v1/legacy/{id}/content', { params: [json.record] })
    await ada.call('GET', '/api/v1/legacy/history', { query: '?private=true' })
  })

  it('invites, devices, the recovery kit, the passphrase', async () => {
    const phone = await joined('Phone', 'device')
    const json = { kind: 'member' }
    const made = await ada.call('POST', '/api/v1/invites', { json, status: 201 })
    await ada.call('GET', '/api/v1/invites')
    await ada.call('DELETE', '/api/v1/invites/{id}', { params: [made.json.invite.invite] })
    const params = [phone.identity.device]
    await ada.call('POST', '/api/v1/devices/{id}/name', { params, json: { name: 'old phone' } })
    await ada.call('GET', '/api/v1/devices')
    await ada.call('POST', '/api/v1/devices/{id}/revoke', { params, json: { reason: 'lost' } })
    await people.stop(phone)
    await ada.call('GET', '/api/v1/recovery')
    const words = (await ada.call('POST', '/api/v1/recovery/words')).json.words.join(' ')
    await ada.call('POST', '/api/v1/recovery/test', { json: { words } })
    await ada.call('GET', '/api/v1/passphrase')
    await ada.call('PUT', '/api/v1/passphrase', { json: { passphrase: 'correct horse' } })
    await ada.call('DELETE', '/api/v1/passphrase')
  })

  it('D6 D8 backups', async () => {
    const BACKUPS = '/api/v1/backups'
    await until(() => adaNode.identity.user !== null, 'Ada has a user', WAIT_MS)
    const { json } = await ada.call('POST', BACKUPS, { json: { name: 'by hand' }, status: 201 })
    assert.equal(json.outcomes[0].saved.name, 'by hand')
    const manual = { json: { admin_id: 1 } }
    const { json: told } = await ada.call('POST', '/admin/manual-backup', manual)
    assert.equal(told.message, 'Manual backup completed!')
    const { json: listed } = await ada.call('GET', BACKUPS)
    assert.ok(listed.items.length >= 1 && listed.problems.length === 0)
    await ada.call('POST', `${BACKUPS}/{id}/verify`, { params: ['newest'] })
    await ada.call('POST', `${BACKUPS}/{id}/restore`, { params: ['newest'] })
    await ada.call('POST', `${BACKUPS}/drill`, { json: {} })
    await ada.call('POST', `${BACKUPS}/prune`, { json: { destination: 'folder' } })
    const { json: key } = await ada.call('POST', `${BACKUPS}/key`)
    assert.match(key.identity, /^AGE-SECRET-KEY-1/)
    await ada.call('PUT', `${BACKUPS}/passphrase`, { json: { passphrase: 'correct horse' } })
    const { json: status } = await ada.call('GET', '/api/v1/status')
    const [place] = status.backups.destinations
    assert.equal(place.verified.code, null)
    assert.equal(place.drilled.code, null)
    const { text } = await ada.call('GET', '/metrics')
    assert.match(text, /cairn_backup_drilled_ok\{destination="[^"]+"\} 1/)
    const { json: checks } = await ada.call('GET', '/api/v1/checks')
    const names = checks.items.filter(({ name }: { name: string }) => name.startsWith('backups'))
    assert.equal(names[0]?.result, 'ok', JSON.stringify(names))
    await ada.call('POST', `${BACKUPS}/{id}/verify`, { params: ['nothing'], status: 404 })
  })

  it('errors', async () => {
    await ada.call('GET', FILE, { params: ['nothing'], status: 404 })
    await ada.call('GET', FILES, { query: '?limit=0', status: 400 })
    await ada.call('GET', FILES, { headers: { authorization: 'Bearer x' }, status: 401 })
    await ada.call('POST', '/api/v1/peers', { body: 'x', status: 400 })
    for (const visibility of ['public', 'private']) await added(visibility, 'twice')
    const { json } = await ada.call('GET', FILE, { params: ['twice'], status: 409 })
    assert.equal(json.error.details.candidates.length, 2)
  })

  it('every success of the document was given and every event that can be had so was told', async () => {
    await ada.call('POST', '/api/v1/shutdown', { status: 202 })
    await until(() => ada.shutdowns === 1, 'the node is to stop', WAIT_MS)
    const given = new Set([...ada.given, ...ben.given])
    assert.deepEqual(
      ada.documented.filter((what) => !given.has(what)),
      [],
    )
    const told = new Set([...ada.events, ...ben.events])
    for (const name of [
      'gap',
      'record:pending',
      'record:confirmed',
      'block:connect',
      'block:mined',
      'chain:tip',
      'file:add',
      'copy:verified',
      'peer:connect',
    ]) {
      assert.ok(told.has(name), name)
    }
  })
})
