import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../../../src/common/errors.ts'
import type { CairnNode } from '../../../src/node/node.ts'
import type { ReadingWait } from '../../../src/services/files/secrets.ts'
import { streamOf, textOf } from '../../unit/services/files/files-node.ts'
import { until } from '../network/nodes.ts'
import {
  createPeopleNetwork,
  type PeopleNetwork,
  settled,
  WAIT_MS,
} from '../people/network-of-people.ts'

const SECRET = 'a poem about stones'
const NAME = 'poem.txt'
const soon = (): AbortSignal => AbortSignal.timeout(WAIT_MS)

describe('private files between nodes', function () {
  this.timeout(90_000)
  let people: PeopleNetwork
  let ada: CairnNode
  let ben: CairnNode
  let peersFile: string

  beforeEach(async () => {
    people = await createPeopleNetwork()
    ada = await people.start('Ada', { admission: 'open' })
    peersFile = join(people.dirOf('Ada'), 'export.json')
    await writeFile(peersFile, JSON.stringify(ada.peers.export()))
    ben = await people.start('Ben', { peersFile })
    await settled(ada, ben)
  })
  afterEach(() => people.end())

  /** A private file of Ada's that Ben knows of. */
  const add = async (): Promise<string> => {
    const { file } = await ada.files.add(streamOf(SECRET), { name: NAME }, { signal: soon() })
    await until(() => has(ben, file), 'Ben knows of the file', WAIT_MS)
    return file
  }
  const has = (node: CairnNode, file: string): boolean => {
    try {
      return node.files.info(file).file === file
    } catch {
      return false
    }
  }
  const fetch = (node: CairnNode, file: string, signal = soon(), waits: ReadingWait[] = []) =>
    node.files
      .fetch(file, {}, { signal, onWait: (wait) => void waits.push(wait) })
      .then(({ name }) => name, codeOf)
  const isNamed = (node: CairnNode, file: string): Promise<void> =>
    until(() => node.files.info(file).name === NAME, 'the name is open', WAIT_MS)
  const log = (file: string): string[] =>
    ada.grants.accesses(file).map(({ outcome, reason }) => reason ?? outcome)

  it('is refused without a grant, read under one as often as it says, and each attempt is in the log', async () => {
    const file = await add()
    assert.equal(ben.files.info(file).name, null)
    assert.equal(await fetch(ben, file), 'ACCESS_DENIED')
    await ada.grants.grant(file, 'Ben', { downloads: 1 }, soon())
    await isNamed(ben, file)
    assert.equal(await fetch(ben, file), NAME)
    assert.equal(await textOf(ben.files.read(file, {}, soon())), SECRET)
    const counted = (): boolean => ada.grants.list(file)[0]?.status === 'used-up'
    await until(counted, 'the release is counted', WAIT_MS)
    // Without the key in memory it would be a second read.
    await people.stop(ben)
    ben = await people.start('Ben', { peersFile })
    await until(() => ben.peers.list().some(({ connected }) => connected), 'connected', WAIT_MS)
    assert.equal(await fetch(ben, file), 'ACCESS_DENIED')
    await until(
      () => !log(file).includes('waiting') && log(file).length === 3,
      'all are in the log',
      WAIT_MS,
    )
    assert.deepEqual(log(file), ['ACCESS_NO_GRANT', 'released', 'ACCESS_USED_UP'])
  })

  it('a revocation ends it at once, and an end ends it', async () => {
    const file = await add()
    await ada.grants.grant(file, 'Ben', {}, soon())
    await isNamed(ben, file)
    await ada.grants.revoke(file, 'Ben', soon())
    assert.equal(await fetch(ben, file), 'ACCESS_DENIED')
    const { expires } = await ada.grants.grant(file, 'Ben', { expires: Date.now() + 1500 }, soon())
    const confirmed = (): boolean => ada.grants.list(file).at(-1)?.status !== 'pending'
    await until(confirmed, 'the grant stands', WAIT_MS)
    await until(() => Date.now() > (expires ?? 0), 'it is over', WAIT_MS)
    assert.equal(await fetch(ben, file), 'ACCESS_DENIED')
  })

  it('while the owner is away a named key holder serves the reader', async () => {
    const file = await add()
    const cara = await people.start('Cara', { peersFile })
    await settled(ada, ben, cara)
    await ada.grants.grant(file, 'Ben', { downloads: 1 }, soon())
    await ada.holders.add(file, cara.identity.device, soon())
    await isNamed(ben, file)
    await until(() => ada.holders.list(file).length === 2, 'the holder is named', WAIT_MS)
    await settled(ada, ben, cara)
    const here = (node: CairnNode): boolean => node.files.info(file).local
    await until(() => here(cara) && here(ben), 'everybody has the bytes', WAIT_MS)
    const meets = (): boolean =>
      ben.peers.list().some((peer) => peer.device === cara.identity.device && peer.connected)
    if (!meets()) await ben.peers.add(cara.peers.export().bootstrap[0] ?? '', soon())
    await until(meets, 'Ben and Cara are connected', WAIT_MS)
    await people.stop(ada)
    assert.equal(await fetch(ben, file), NAME)
    assert.equal(await textOf(ben.files.read(file, {}, soon())), SECRET)
  })

  it('without a key holder it says whom it waits for; the same command goes on later', async () => {
    const file = await add()
    await ada.grants.grant(file, 'Ben', { downloads: 1 }, soon())
    await isNamed(ben, file)
    await until(() => ben.files.info(file).local, 'Ben has the bytes', WAIT_MS)
    const confirmed = (): boolean => ben.grants.list(file)[0]?.status === 'active'
    await until(confirmed, 'the grant stands', WAIT_MS)
    await people.stop(ada)
    const patience = new AbortController()
    const waits: ReadingWait[] = []
    const fetching = fetch(ben, file, patience.signal, waits)
    await until(() => waits.at(-1)?.for === 'key-holder', 'it waits for a holder', WAIT_MS)
    assert.deepEqual(waits.at(-1)?.holders, ["Ada's device of Ada"])
    patience.abort(new DOMException('too late', 'TimeoutError'))
    assert.equal(await fetching, 'KEY_HOLDER_AWAY')
    ada = await people.start('Ada')
    assert.equal(await fetch(ben, file), NAME)
    await until(() => log(file).includes('released'), 'it is counted', WAIT_MS)
    assert.deepEqual(log(file), ['released'])
  })
})
