/** What starts in the background say of where a device comes from. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { becomes, COMMAND_MS, createPlaces, type Place, type Places } from '../helpers/person.ts'

const QUIET = ['--port', '0', '--gateway-port', '0', '--listen', '/ip4/127.0.0.1/tcp/0']

describe('a start in the background says', function () {
  this.timeout(2 * COMMAND_MS)
  let places: Places
  let laptop: Place
  let phone: Place
  let env: Record<string, string>

  before(async () => {
    places = await createPlaces()
    laptop = places.place('laptop')
    phone = places.place('phone')
    env = {
      CAIRN_BACKUP_FOLDER: join(places.directory, 'second disk'),
      CAIRN_BACKUP_PASSPHRASE: 'good words that nobody guesses',
    }
    await laptop.serve(['start', '--name', 'Ada', '--difficulty-floor', '1'], { env })
  })
  after(async () => {
    for (const place of [laptop, phone]) await place.run(['stop'])
    await places.end()
  })

  it('that a device joined, and not that it belongs to nobody', async () => {
    const input = await laptop.do('invite', '--device')
    const command = ['join', '-', '--detach', '--device-name', 'phone', ...QUIET]
    const { code, out, err } = await phone.run(command, { input })
    assert.equal(code, 0, err)
    assert.match(out, /Joined the network as a further device/)
    assert.doesNotMatch(out, /belongs to nobody/)
  })

  it('that it was restored, from where, and how far', async () => {
    await becomes('a backup', async () => {
      const { backups } = await laptop.json<{
        backups: { destinations: readonly { behind: boolean }[] }
      }>('status')
      return backups.destinations.length > 0 && backups.destinations.every(({ behind }) => !behind)
    })
    await laptop.stop()
    await laptop.remove()
    const { code, out, err } = await laptop.run(['start', '--detach', ...QUIET], { env })
    assert.equal(code, 0, err)
    assert.match(out, /Restored from backups: block [1-9]\d*, from .*second disk\./)
  })
})
