/** Backups of a user with several devices, of which one has the recovery kit: by processes. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FullStatus } from '../../src/interfaces/http/api.ts'
import type { FileSummary } from '../../src/interfaces/http/api-files.ts'
import { becomes, COMMAND_MS, createPlaces, type Place, type Places } from '../helpers/person.ts'

const FLOOR = ['--difficulty-floor', '1']
type Backups = FullStatus['backups']

describe('backups of several devices of one user', function () {
  this.timeout(2 * COMMAND_MS)
  let places: Places

  before(async () => {
    places = await createPlaces()
  })
  after(() => places.end())

  const add = async (place: Place, name: string): Promise<void> => {
    await writeFile(join(places.directory, name), `content of ${name}`)
    await place.do('add', name)
  }
  const backups = async (place: Place): Promise<Backups> =>
    (await place.json<FullStatus>('status')).backups
  const complete = (place: Place): Promise<void> =>
    becomes('everything is backed up', async () => {
      const { destinations } = await backups(place)
      return destinations.every(({ behind, newest }) => !behind && newest !== null)
    })
  const shows = (place: Place, ...wanted: string[]): Promise<void> =>
    becomes(`${wanted.join(' and ')} are there`, async () => {
      const { items } = await place.json<{ items: FileSummary[] }>('ls')
      return wanted.every((name) => items.some((one) => one.name === name))
    })

  it('a device without the kit backs up to a disk of its own, and the kit brings everything back', async () => {
    const laptop = places.place('laptop')
    const desk = places.place('desk')
    await laptop.serve(['start', '--name', 'Ada', '--device-name', 'laptop', ...FLOOR])
    const input = await laptop.do('invite', '--device')
    const env = { CAIRN_BACKUP_FOLDER: join(places.directory, 'disk of desk') }
    const joined = await desk.serve(['join', '-', '--device-name', 'desk'], { input, env })
    await add(desk, 'of-desk.txt')
    await add(laptop, 'of-laptop.txt')
    await shows(desk, 'of-desk.txt', 'of-laptop.txt')
    await complete(desk)
    assert.equal((await backups(desk)).key, 'none')
    const verified = await desk.do('backup', 'verify')
    assert.match(verified, /read and compared with what was written/)
    assert.match(verified, /NOT CHECKED: that it opens.*on the one that has the recovery kit/)
    const drill = await desk.run(['backup', 'drill'])
    assert.equal(drill.code, 1)
    assert.match(drill.out, /Run "cairn backup drill" on the device of yours that has the recovery/)
    const { words } = await laptop.json<{ words: string[] }>('recovery', 'show', '--yes')
    await Promise.all([laptop.stop(), desk.stop()])

    const fresh = places.place('fresh')
    const back = await fresh.serve(['start', '--device-name', 'fresh', ...FLOOR], {
      env: { ...env, CAIRN_RECOVERY_WORDS: words.join(' ') },
    })
    assert.equal(back.network, joined.network)
    await shows(fresh, 'of-desk.txt', 'of-laptop.txt')
    await fresh.stop()
  })
})
