/**
 * Writes `format-N`: a data directory as this version makes it, which every later version has to open. Run once per
 * disk format, and never again for a format that was released. Its keys are of no network that exists.
 *
 *     node test/helpers/make-fixture.ts
 */
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CairnNode } from '../../src/node/node.ts'
import { until } from '../integration/network/nodes.ts'
import { createPeopleNetwork, settled, WAIT_MS } from '../integration/people/network-of-people.ts'
import { streamOf } from '../unit/services/files/files-node.ts'

const people = await createPeopleNetwork()
const soon = (): AbortSignal => AbortSignal.timeout(WAIT_MS)
const quiet = (node: CairnNode): Promise<void> =>
  until(() => node.chain.summary().pending === 0, 'all is in the chain', WAIT_MS)

try {
  const ada = await people.start('Ada')
  const joined = async (name: string, kind: 'member' | 'device'): Promise<CairnNode> => {
    const { code } = await ada.invites.create({ kind }, soon())
    await people.join(name, code)
    const node = await people.start(name)
    await settled(ada, node)
    return node
  }
  const add = async (name: string, text: string, visibility: 'public' | 'private') => {
    const { file } = await ada.files.add(streamOf(text), { name, visibility }, { signal: soon() })
    return file
  }
  const ben = await joined('Ben', 'member')
  const phone = await joined('Phone', 'device')
  await ada.invites.create({ kind: 'member', ms: 90 * 24 * 60 * 60_000 }, soon())
  const { invite } = await ada.invites.create({ kind: 'backup' }, soon())
  await ada.invites.cancel(invite.invite, soon())

  const open = await add('open.txt', 'the first open words\n', 'public')
  const update = streamOf('the second open words\n')
  await ada.files.update(open, update, {}, { signal: soon() })
  const letter = await add('letter.txt', 'for Ben alone\n', 'private')
  await add('diary.txt', 'for nobody\n', 'private')
  await until(
    () => ben.files.list({ limit: 10 }).items.length === 3,
    'Ben knows of the files',
    WAIT_MS,
  )
  await quiet(ada)
  await ben.votes.cast(open, { verdict: 'authentic', comment: 'I was there' }, soon())
  await ben.files.fetch(letter, {}, { signal: soon() }).catch(() => {})
  await ada.grants.grant(letter, 'Ben', { downloads: 3 }, soon())
  await until(() => ben.files.info(letter).name === 'letter.txt', 'the name is open', WAIT_MS)
  await ben.files.fetch(letter, {}, { signal: soon() })
  await ada.devices.revoke(phone.identity.device, { reason: 'lost' }, soon())
  await people.stop(phone)
  await quiet(ben)
  await settled(ada, ben)
  await quiet(ada)
  await people.stop(ben)
  await people.stop(ada)

  const dataDir = people.dirOf('Ada')
  // The database's `user_version`, in the header of its file: a newer format of the directory is one of it too.
  const format = (await readFile(join(dataDir, 'cairn.sqlite'))).readUInt32BE(60)
  const target = join(import.meta.dirname, '../fixtures', `format-${format}`)
  for (const left of ['logs', 'node.json', 'token', 'config.json', 'peers.json']) {
    await rm(join(dataDir, left), { recursive: true, force: true })
  }
  await cp(dataDir, target, { recursive: true, errorOnExist: true, force: false })
  const expected = {
    users: ['Ada', 'Ben'],
    devices: { "Ada's device": true, "Ben's device": true, "Phone's device": false },
    invites: { open: 1, used: 2, cancelled: 1 },
    files: {
      'diary.txt': { text: 'for nobody\n', visibility: 'private', versions: 1 },
      'letter.txt': {
        text: 'for Ben alone\n',
        visibility: 'private',
        versions: 1,
        grants: ['Ben: active, 2 left'],
        accesses: ['Ben: denied', 'Ben: released'],
      },
      'open.txt': {
        text: 'the second open words\n',
        visibility: 'public',
        versions: 2,
        votes: ['Ben: authentic, I was there'],
      },
    },
  }
  await writeFile(join(target, 'EXPECTED.json'), `${JSON.stringify(expected, null, 2)}\n`)
  console.log(`wrote ${target}`)
} finally {
  await people.end()
}
