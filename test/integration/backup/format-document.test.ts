import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { zstdDecompressSync } from 'node:zlib'
import { Decrypter } from 'age-encryption'
import { systemClock } from '../../../src/common/clock.ts'
import { createFolderDestination } from '../../../src/services/backup/destinations/folder.ts'
import { createWriter } from '../../../src/services/backup/writer.ts'
import { createBackupWorld, key } from '../../helpers/backup-world.ts'

const top = join(import.meta.dirname, '../../..')
const run = promisify(execFile)
const has = (tool: string): boolean => spawnSync(tool, ['--version']).error === undefined

describe('the document of the backup format', function () {
  this.timeout(20_000)
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cairn-format-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  it('opens a backup with other tools', async () => {
    const text = await readFile(join(top, 'docs/BACKUP-FORMAT.md'), 'utf8')
    const block = (language: string): string =>
      new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(text)?.[1] ?? assert.fail(language)
    const world = await createBackupWorld()
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

    await writeFile(join(folder, 'key.txt'), `${key.identity}\n`)
    const tools = process.platform !== 'win32' && has('age') && has('zstd')
    if (tools) await run('sh', ['-ec', block('sh')], { cwd: folder })
    else {
      for (const name of await readdir(folder, { recursive: true })) {
        if (!name.endsWith('.car.zst.age')) continue
        const decrypter = new Decrypter()
        decrypter.addIdentity(key.identity)
        const plain = await decrypter.decrypt(await readFile(join(folder, name)))
        await writeFile(join(folder, name.slice(0, -'.zst.age'.length)), zstdDecompressSync(plain))
      }
    }
    await symlink(join(top, 'node_modules'), join(folder, 'node_modules'), 'junction')
    await writeFile(join(folder, 'open.mjs'), block('js'))
    const { stdout } = await run(process.execPath, ['open.mjs'], { cwd: folder })
    const { store } = world.node
    const pending = store.pending()[0]?.record ?? assert.fail()
    assert.deepEqual(stdout.trim().split('\n'), [
      `block 1 ${store.idAt(1)}`,
      '  user.create',
      `block 2 ${store.idAt(2)}`,
      '  file.add',
      `pending file.add ${pending.id}`,
      `tip 2 ${store.tip().id}`,
    ])
  })
})
