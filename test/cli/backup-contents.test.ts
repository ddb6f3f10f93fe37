/** A disk that is wiped where there is no other device: the contents of files come back from a backup. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { wordsFromSecret } from '../../src/common/mnemonic.ts'
import type { FullStatus } from '../../src/interfaces/http/api.ts'
import type { FileSummary } from '../../src/interfaces/http/api-files.ts'
import { becomes, COMMAND_MS, createPlaces, type Place, type Places } from '../helpers/person.ts'

const MIB = 1024 * 1024

describe('a wiped disk without other devices', function () {
  this.timeout(4 * COMMAND_MS)
  let places: Places
  before(async () => {
    places = await createPlaces()
  })
  after(() => places.end())

  const start = (place: Place, env: Readonly<Record<string, string>>) =>
    place.serve(['start', '--name', 'Ada', '--device-name', 'host', '--difficulty-floor', '1'], {
      env,
    })
  const contentsOf = async (place: Place) => {
    const { backups } = await place.json<FullStatus>('status')
    return backups.destinations[0]?.contents ?? null
  }
  const shipped = (place: Place, files: number): Promise<void> =>
    becomes(`${files} files are shipped`, async () => {
      const contents = await contentsOf(place)
      return contents?.waiting?.files === 0 && contents.files === files
    })
  const isHere = (place: Place, ...names: string[]): Promise<void> =>
    becomes(
      `${names.join(' and ')} are here`,
      async () => {
        const { items } = await place.json<{ items: FileSummary[] }>('ls')
        return names.every((name) => items.some((one) => one.name === name && one.local))
      },
      COMMAND_MS,
    )
  const bytesOf = async (place: Place, name: string): Promise<Buffer> => {
    const out = join(places.directory, `out of ${name}`)
    await place.do('get', name, '--output', out, '--force')
    return readFile(out)
  }

  it('has the bytes of public and private files back, from a folder', async () => {
    const folder = join(places.directory, 'second disk')
    const env = {
      CAIRN_BACKUP_FOLDER: folder,
      CAIRN_BACKUP_CONTENTS: 'all',
      CAIRN_RECOVERY_WORDS: wordsFromSecret(randomBytes(32)).join(' '),
    }
    const files = {
      'public.bin': randomBytes(9 * MIB + 11),
      'public.txt': Buffer.from('the same words again and again\n'.repeat(2000)),
      'private.bin': randomBytes(2 * MIB + 3),
      'private.txt': Buffer.from('nobody else reads this'),
    }
    const place = places.place('host')
    await start(place, env)
    for (const [name, bytes] of Object.entries(files)) {
      const path = join(places.directory, name)
      await writeFile(path, bytes)
      await place.do('add', path, ...(name.startsWith('public') ? ['--public'] : []))
    }
    await shipped(place, 4)
    await place.kill()
    await place.remove()
    await start(place, env)
    await isHere(place, ...Object.keys(files))
    for (const [name, bytes] of Object.entries(files)) {
      assert.ok((await bytesOf(place, name)).equals(bytes), name)
    }
    // The restored device, which is another one, writes none of it again.
    await shipped(place, 4)
    assert.equal((await contentsOf(place))?.sent, 0)
    const verified = await place.do('backup', 'verify')
    assert.match(verified, /contents of files: \d+ objects, 11\.6 MB; \d+ of them read/)
    assert.match(await place.do('backup', 'drill'), /files? put together/)

    // What was acknowledged right before the stop is shipped by it.
    await writeFile(join(places.directory, 'late.txt'), 'added at the last moment')
    await place.do('add', join(places.directory, 'late.txt'))
    await place.stop('SIGTERM')
    await place.remove()
    // An object of contents is lost: the others come, the history too, and it is named.
    const packs = join(folder, 'contents')
    for (const name of await readdir(packs, { recursive: true })) {
      const { size } = await stat(join(packs, name))
      if (size > 8 * MIB) await rm(join(packs, name))
    }
    await start(place, env)
    await isHere(place, 'public.txt', 'private.bin', 'private.txt', 'late.txt')
    assert.equal((await bytesOf(place, 'late.txt')).toString(), 'added at the last moment')
    await becomes('it is named', async () => {
      const { backups } = await place.json<FullStatus>('status')
      return (
        backups.returned?.missing === 1 && /1 file did not come back/.test(backups.warnings.join())
      )
    })
    const { code, out, err } = await place.run(['backup', 'verify'])
    assert.equal(code, 1)
    assert.match(out + err, /contents of files is damaged: it is not there/)
    await place.stop()
  })

  it('two devices of one person write each content once, to one place', async () => {
    const folder = join(places.directory, 'shared disk')
    const env = { CAIRN_BACKUP_FOLDER: folder, CAIRN_BACKUP_CONTENTS: 'folder' }
    const laptop = places.place('laptop')
    const desk = places.place('desk')
    await start(laptop, env)
    const add = async (place: Place, name: string, bytes: Buffer): Promise<void> => {
      await writeFile(join(places.directory, name), bytes)
      await place.do('add', join(places.directory, name))
    }
    await add(laptop, 'one.bin', randomBytes(3 * MIB))
    await shipped(laptop, 1)
    const input = await laptop.do('invite', '--device')
    await desk.serve(['join', '-', '--device-name', 'desk'], { input, env })
    await isHere(desk, 'one.bin')
    await shipped(desk, 1)
    // The desk has no recovery kit: it writes for the key, and knows what is there all the same.
    assert.equal((await contentsOf(desk))?.sent, 0)
    await add(desk, 'two.bin', randomBytes(2 * MIB))
    await isHere(laptop, 'two.bin')
    for (const place of [desk, laptop]) await place.stop()
    for (const place of [laptop, desk]) await start(place, env)
    await shipped(desk, 2)
    await shipped(laptop, 2)
    const { objects, bytes } = (await contentsOf(laptop)) ?? assert.fail('no contents')
    // Both may have sent the second one at the same time.
    assert.ok(objects <= 3 && bytes < 7.1 * MIB, `${objects} objects, ${bytes} bytes`)
    const verified = await laptop.do('backup', 'verify')
    assert.match(verified, /contents of files/)
    for (const place of [laptop, desk]) await place.stop()
  })
})
