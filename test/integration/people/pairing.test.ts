import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CairnNode } from '../../../src/node/node.ts'
import { until } from '../network/nodes.ts'
import { createPeopleNetwork, type PeopleNetwork, settled, WAIT_MS } from './network-of-people.ts'

describe('pairing', function () {
  this.timeout(60_000)
  let people: PeopleNetwork
  let ada: CairnNode

  beforeEach(async () => {
    people = await createPeopleNetwork()
    ada = await people.start('Ada')
    await settled(ada)
  })
  afterEach(() => people.end())

  const keysOf = (name: string): string[] =>
    ['device', 'device-encryption', 'user', 'recovery', 'restore'].filter((key) =>
      existsSync(join(people.dirOf(name), 'keys', `${key}.key`)),
    )

  it('a second person is taken in, and goes on by itself after a restart', async () => {
    const { code, invite } = await ada.invites.create({ kind: 'member' })
    assert.equal(invite.state, 'open')
    const joined = await people.join('Ben', code)
    assert.equal(joined.ownDevice, false)
    assert.equal(joined.role, 'member')
    assert.equal(existsSync(join(people.dirOf('Ben'), 'joining.json')), false)
    let ben = await people.start('Ben')
    assert.equal(ben.identity.user, joined.user)
    assert.equal(ben.founded, false)
    await settled(ada, ben)
    assert.deepEqual(
      ben.members.users().map(({ name, role }) => [name, role]),
      [
        ['Ada', 'admin'],
        ['Ben', 'member'],
      ],
    )
    assert.equal(ada.invites.list()[0]?.state, 'used')
    assert.equal(ada.invites.list()[0]?.usedBy, joined.device)
    await people.stop(ben)
    ben = await people.start('Ben')
    await until(() => ben.peers.list().some(({ connected }) => connected), 'it is back', WAIT_MS)
    assert.equal(ben.members.users().length, 2)
  })

  it('a second device of the same person makes up no secrets of the user', async () => {
    const { code } = await ada.invites.create({ kind: 'device' })
    const joined = await people.join('phone', code)
    assert.equal(joined.user, ada.identity.user)
    assert.deepEqual(keysOf('phone'), ['device', 'device-encryption'])
    const phone = await people.start('phone')
    await settled(ada, phone)
    assert.equal(phone.members.users().length, 1)
    assert.equal(phone.members.users()[0]?.devices, 2)
    assert.deepEqual(keysOf('phone'), ['device', 'device-encryption'])
  })

  it('a backup device takes part', async () => {
    const { code } = await ada.invites.create({ kind: 'backup-device' })
    const joined = await people.join('vault', code)
    assert.equal(joined.role, 'backup')
    const vault = await people.start('vault')
    await settled(ada, vault)
    const source = (async function* () {
      yield Buffer.from('to be stored')
    })()
    const signal = AbortSignal.timeout(WAIT_MS)
    const about = { name: 'a.txt', visibility: 'public' } as const
    await ada.files.add(source, about, { signal })
    const held = (): boolean => {
      const [entry] = vault.files.list({ limit: 1 }).items
      return entry !== undefined && vault.files.info(entry.file).copies.length > 0
    }
    await until(held, 'the vault has the file', WAIT_MS)
    // What the rules would refuse is not taken as added.
    const own = (async function* () {
      yield Buffer.from('of the vault')
    })()
    await assert.rejects(vault.files.add(own, { name: 'b.txt' }, { signal }), {
      code: 'BACKUP_DEVICE',
    })
    const kept = (async function* () {
      yield Buffer.from('for Ada alone')
    })()
    const { file } = await ada.files.add(kept, { name: 'c.txt' }, { signal })
    await assert.rejects(ada.holders.add(file, vault.identity.device, signal), {
      code: 'HOLDER_BACKUP',
    })
  })

  it('in an open network too', async () => {
    const open = await people.start('Olga', { admission: 'open' })
    await settled(open)
    const { code } = await open.invites.create({ kind: 'device' })
    const joined = await people.join('tablet', code)
    assert.equal(joined.user, open.identity.user)
    const tablet = await people.start('tablet')
    await settled(open, tablet)
    assert.equal(open.members.users().length, 1)
  })

  it('a stranger, also one with a peers file, is not connected', async () => {
    const peersFile = join(people.dirOf('Ada'), 'peers-file.json')
    await writeFile(peersFile, JSON.stringify(ada.peers.export()))
    const eve = await people.start('Eve', { peersFile })
    assert.equal(eve.identity.user, null)
    await new Promise((resolve) => setTimeout(resolve, 1500))
    assert.equal(ada.peers.list().filter(({ connected }) => connected).length, 0)
    assert.equal(eve.chain.summary().height, 0)
    const source = (async function* () {
      yield Buffer.from('of nobody')
    })()
    const signal = AbortSignal.timeout(WAIT_MS)
    await assert.rejects(eve.files.add(source, { name: 'e.txt' }, { signal }), {
      code: 'NOT_ADMITTED',
    })
  })
})
