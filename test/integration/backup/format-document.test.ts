import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { zstdDecompressSync } from 'node:zlib'
import { Decrypter } from 'age-encryption'
import type { ContentId } from '../../../src/chain/ids.ts'
import { systemClock } from '../../../src/common/clock.ts'
import { createFolderDestination } from '../../../src/services/backup/destinations/folder.ts'
import { createWriter } from '../../../src/services/backup/writer.ts'
import { createContentsWorld } from '../../helpers/backup/contents-world.ts'
import { key } from '../../helpers/backup-world.ts'
import { pattern } from '../../unit/storage/blockstore-helpers.ts'

const top = join(import.meta.dirname, '../../..')
const run = promisify(execFile)
const has = (tool: string): boolean => spawnSync(tool, ['--version']).error === undefined

describe('the document of the backup format', function () {
  this.timeout(20_000)
  let folder: string
  const ends: (() => Promise<void>)[] = []
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cairn-format-'))
  })
  after(async () => {
    for (const end of ends.reverse()) await end()
    await rm(folder, { recursive: true, force: true })
  })

  it('opens a backup with other tools', async () => {
    const text = await readFile(join(top, 'docs/BACKUP-FORMAT.md'), 'utf8')
    const block = (language: string, index = 0): string => {
      const all = [...text.matchAll(new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``, 'g'))]
      return all[index]?.[1] ?? assert.fail(language)
    }
    const world = await createContentsWorld()
    ends.push(world.end)
    const destination = createFolderDestination({ clock: systemClock }, { path: folder })
    const writer = createWriter(world.components, { destination, owner: world.owner })
    world.node.events.on('record:pending', ({ record }) => writer.note(record))
    const save = () =>
      writer.save({ name: 'test', manual: false, signal: new AbortController().signal })
    await world.say('a.txt')
    await world.mine()
    await save()
    await world.say('b.txt')
    await save()
    // Contents: one pack that is compressed, two that are not.
    const place = world.place(destination)
    ends.push(place.stop)
    const words = Buffer.from('the same words\n'.repeat(5000))
    const random = pattern(9_000_000)
    const roots: ContentId[] = []
    for (const bytes of [words, random]) {
      const { root } = await world.add(`${roots.length}.bin`, bytes)
      roots.push(root)
      place.changed(root)
      place.saved(key.recipient)
      await place.flush('all', new AbortController().signal)
    }

    await writeFile(join(folder, 'key.txt'), `${key.identity}\n`)
    const tools = process.platform !== 'win32' && has('age') && has('zstd')
    if (tools) await run('sh', ['-ec', block('sh')], { cwd: folder })
    else {
      for (const name of await readdir(folder, { recursive: true })) {
        if (!/\.car(?:\.zst)?\.age$/.test(name)) continue
        const decrypter = new Decrypter()
        decrypter.addIdentity(key.identity)
        const plain = await decrypter.decrypt(await readFile(join(folder, name)))
        const isPressed = name.endsWith('.zst.age')
        const car = isPressed ? zstdDecompressSync(plain) : plain
        await writeFile(join(folder, name.replace(/(?:\.zst)?\.age$/, '')), car)
      }
    }
    await symlink(join(top, 'node_modules'), join(folder, 'node_modules'), 'junction')
    await writeFile(join(folder, 'open.mjs'), block('js'))
    const { stdout } = await run(process.execPath, ['open.mjs'], { cwd: folder })
    const { store } = world.node
    const [pending] = store.pending().map(({ record }) => record.id)
    assert.deepEqual(stdout.trim().split('\n'), [
      `block 1 ${store.idAt(1)}`,
      '  user.create',
      `block 2 ${store.idAt(2)}`,
      '  file.add',
      `pending file.add ${pending}`,
      `tip 2 ${store.tip().id}`,
    ])

    await writeFile(join(folder, 'contents.mjs'), block('js', 1))
    for (const [n, bytes] of [words, random].entries()) {
      const root = roots[n] ?? assert.fail('no root')
      const options = { cwd: folder, encoding: 'buffer', maxBuffer: 2 * random.length } as const
      const read = await run(process.execPath, ['contents.mjs', root], options)
      assert.ok(read.stdout.equals(bytes), root)
    }
  })
})
