/** A token of the HTTP API that the operator chose: the same after a wiped disk, told to nobody. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Check } from '../../src/interfaces/http/api.ts'
import { COMMAND_MS, createPlaces, filesWith, type Place, type Places } from '../helpers/person.ts'

const START = ['start', '--name', 'Ada', '--device-name', 'host', '--difficulty-floor', '1']

describe('the token of the operator', function () {
  this.timeout(2 * COMMAND_MS)
  let places: Places

  before(async () => {
    places = await createPlaces()
  })
  after(() => places.end())

  const statusOf = async (api: string, token: string): Promise<number> => {
    const headers = { Authorization: `Bearer ${token}` }
    const response = await fetch(new URL('/api/v1/status', api), { headers })
    await response.body?.cancel()
    return response.status
  }
  const tokenCheck = async (place: Place, env: Record<string, string>): Promise<Check> => {
    const { out } = await place.run(['doctor', '--json'], { env })
    const { checks } = JSON.parse(out) as { checks: Check[] }
    return checks.find(({ name }) => name === 'token') ?? assert.fail('doctor looks at the token')
  }

  it('opens the API also after the disk was wiped, and stands in no log', async () => {
    const place = places.place('host')
    const token = randomBytes(32).toString('hex')
    const CAIRN_API_TOKEN_FILE = join(places.directory, 'secret')
    await writeFile(CAIRN_API_TOKEN_FILE, `${token}\n`)
    for (const env of [{ CAIRN_API_TOKEN: token }, { CAIRN_API_TOKEN_FILE }]) {
      const { api } = await place.serve(START, { env: { ...env, CAIRN_LOG_LEVEL: 'debug' } })
      assert.equal(await statusOf(api, token), 200)
      assert.equal(await statusOf(api, randomBytes(32).toString('hex')), 401)
      assert.match(await place.do('status'), /Ada/, 'commands find it without the variable')
      assert.equal((await tokenCheck(place, env)).result, 'ok')
      assert.deepEqual(await filesWith(place.dataDir, token), [join(place.dataDir, 'token')])
      await place.stop()
      await place.remove()
    }
  })

  it('ends the start when it can be guessed, without telling it; doctor names it', async () => {
    const place = places.place('weak')
    const token = 'hunter2-hunter2-'.repeat(3)
    const env = { CAIRN_API_TOKEN: token }
    const { code, out, err } = await place.run([...START, '--json'], { env })
    assert.equal(code, 2)
    assert.match(out + err, /TOKEN_WEAK/)
    assert.ok(!(out + err).includes(token))
    const refused = await tokenCheck(place, env)
    assert.deepEqual([refused.result, refused.says.includes(token)], ['failed', false])
    await mkdir(place.dataDir, { recursive: true })
    await chmod(place.dataDir, 0o700)
    await writeFile(join(place.dataDir, 'token'), `${token}\n`, { mode: 0o600 })
    const { result, says } = await tokenCheck(place, {})
    assert.equal(result, 'warning')
    assert.match(says, /it repeats itself/)
    assert.equal(await readFile(join(place.dataDir, 'token'), 'utf8'), `${token}\n`)
  })
})
