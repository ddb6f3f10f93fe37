/** People, devices and private files at the command line: real processes, one network. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AccessView, GrantView } from '../../src/interfaces/http/api.ts'
import type { FileSummary } from '../../src/interfaces/http/api-files.ts'
import {
  becomes,
  COMMAND_MS,
  createPlaces,
  filesWith,
  type Place,
  type Places,
  type Started,
} from '../helpers/person.ts'

const NAME = 'lease-with-zanzibar.txt'
const CONTENT = `the rent is 4711 guilders ${'x'.repeat(200)} and no more`
const FLOOR = ['--difficulty-floor', '1']

interface Items<T> {
  readonly items: readonly T[]
}

describe('people at the command line', function () {
  this.timeout(2 * COMMAND_MS)
  let places: Places
  let ada: Place
  let phone: Place
  let nas: Place
  let ben: Place
  let cleo: Place
  let adaNode: Started
  let benNode: Started
  let file: string

  before(async () => {
    places = await createPlaces()
    ada = places.place('ada')
    phone = places.place('phone')
    nas = places.place('nas')
    ben = places.place('ben')
    cleo = places.place('cleo')
    await writeFile(join(places.directory, NAME), CONTENT)
  })
  after(() => places.end())

  const join2 = async (place: Place, invite: readonly string[], ...args: string[]) => {
    const input = await ada.do('invite', ...invite)
    return place.serve(['join', '-', ...args], { input })
  }
  const listed = async (place: Place): Promise<readonly FileSummary[]> =>
    (await place.json<Items<FileSummary>>('ls')).items
  const holds = (place: Place, id: string): Promise<void> =>
    becomes(`${place.dataDir} holds ${id}`, async () =>
      (await listed(place)).some((one) => one.file === id && one.local),
    )
  const log = async (): Promise<string[]> =>
    (await ada.json<Items<AccessView>>('access-log', NAME)).items.map(
      ({ user, outcome, reason }) => `${user.name} ${reason ?? outcome}`,
    )
  const grantOf = async (name: string): Promise<GrantView | undefined> =>
    (await ada.json<Items<GrantView>>('grants', NAME)).items
      .filter(({ user }) => user.name === name)
      .at(-1)
  const refused = async (place: Place, words: RegExp): Promise<void> => {
    const { code, err } = await place.run(['cat', file])
    assert.equal(code, 5, err)
    assert.match(err, words)
  }

  it('a network is founded; a person, an own device and a backup device join by invite', async () => {
    adaNode = await ada.serve(['start', '--name', 'Ada', '--device-name', 'laptop', ...FLOOR])
    benNode = await join2(ben, [], '--name', 'Ben', '--device-name', 'desk')
    await join2(cleo, ['--expires', '1h'], '--name', 'Cleo', '--device-name', 'pad')
    await join2(phone, ['--device'], '--device-name', 'phone')
    await join2(nas, ['--device', '--role', 'backup'], '--device-name', 'nas')
    assert.equal(benNode.network, adaNode.network)
    assert.equal(benNode.joined?.role, 'member')
    await becomes('Ben knows all devices in their roles', async () => {
      const { items } =
        await ben.json<Items<{ name: string; role: string; user: { name: string } }>>('devices')
      const shown = items.map(({ name, role, user }) => `${name} ${user.name} ${role}`).sort()
      return (
        shown.join() ===
        'desk Ben member,laptop Ada member,nas Ada backup,pad Cleo member,phone Ada member'
      )
    })
    const used = await ada.json<Items<{ state: string }>>('invite', 'list')
    assert.deepEqual(
      used.items.map(({ state }) => state),
      ['used', 'used', 'used', 'used'],
    )
  })

  it('a private file: neither its name nor its content is with a third member or a backup device', async () => {
    const added = await ada.json<{ added: FileSummary[] }>('add', NAME, '--wait', 'confirmed')
    file = added.added[0]?.file ?? ''
    for (const place of [ben, cleo, nas]) {
      await holds(place, file)
      const [one] = await listed(place)
      assert.deepEqual(
        [one?.name, one?.size, one?.sha256, one?.mediaType],
        [null, null, null, null],
      )
      assert.match(await place.do('ls'), /a private file of Ada +about \d+ B/)
    }
    for (const place of [cleo, nas]) await refused(place, /private/)
    for (const place of [cleo, nas, ben]) {
      assert.deepEqual(await filesWith(place.dataDir, 'zanzibar'), [])
      assert.deepEqual(await filesWith(place.dataDir, '4711 guilders'), [])
    }
    // The search finds what is there: on the owner's device the name stands in the read model.
    assert.notDeepEqual(await filesWith(ada.dataDir, 'zanzibar'), [])
    const gateway = await fetch(`${benNode.gateway}/ipfs/${added.added[0]?.root}`)
    assert.equal(gateway.status, 404)
    assert.match(await gateway.text(), /cairn publish/)
  })

  it('another device of the owner reads it', async () => {
    await becomes('the phone has the keys', async () => (await listed(phone))[0]?.name === NAME)
    assert.equal((await phone.run(['cat', NAME])).out, CONTENT)
  })

  it('a grant lets one read it, as often as it says', async () => {
    await refused(ben, /granted nothing/)
    await ada.do('grant', NAME, 'Ben', '--max-downloads', '1', '--expires', '1h')
    await becomes('Ben sees the name', async () => (await listed(ben))[0]?.name === NAME)
    assert.notDeepEqual(await filesWith(ben.dataDir, 'zanzibar'), [])
    const target = join(places.directory, 'got.txt')
    await ben.do('get', NAME, '-o', target)
    assert.equal((await ben.run(['cat', target])).code, 4)
    assert.deepEqual(
      await filesWith(places.directory, '4711 guilders'),
      [join(places.directory, NAME), target].sort(),
    )
    await becomes(
      'Ada sees that it is used up',
      async () => (await grantOf('Ben'))?.status === 'used-up',
    )
    // A key stays in memory for a while: a read in pieces is one read.
    assert.equal((await ben.run(['cat', NAME, '--range', '4-7'])).out, 'rent')
    await ben.stop()
    benNode = await ben.serve(['start'])
    await refused(ben, /as often|used/)
  })

  it('a revoked grant gives no key, nor does one that expired', async () => {
    await ada.do('grant', NAME, 'Ben', '--wait', 'confirmed')
    await ada.do('revoke', NAME, 'Ben')
    await becomes('the revocation counts', async () => (await grantOf('Ben'))?.status === 'revoked')
    await refused(ben, /took the grant back/)
    await ada.do('grant', NAME, 'Ben', '--expires', '1s', '--wait', 'confirmed')
    await becomes('it expires', async () => (await grantOf('Ben'))?.status === 'expired')
    await refused(ben, /expired|over/)
    await becomes('Ada sees each attempt', async () => {
      const seen = await log()
      return (
        seen.filter((entry) => entry === 'Cleo ACCESS_NO_GRANT').length === 1 &&
        seen.filter((entry) => entry.startsWith('Ben')).join() ===
          'Ben ACCESS_NO_GRANT,Ben released,Ben ACCESS_USED_UP,Ben ACCESS_REVOKED,Ben ACCESS_EXPIRED'
      )
    })
  })

  it('a reader is told whom it waits for, and goes on later', async () => {
    await ada.do('grant', NAME, 'Cleo', '--wait', 'confirmed')
    await becomes('Cleo sees the name', async () => (await listed(cleo))[0]?.name === NAME)
    await Promise.all([ada.stop(), phone.stop()])
    const late = await cleo.run(['cat', NAME, '--timeout', '3'])
    assert.equal(late.code, 6, late.err)
    assert.match(late.err, /laptop of Ada/)
    await ada.serve(['start'])
    assert.equal((await cleo.run(['cat', NAME])).out, CONTENT)
    await phone.serve(['start'])
  })

  it('what is wrong is told, with what to do', async () => {
    const words = `${'abandon '.repeat(23)}art`
    const cases: readonly (readonly [string[], number, RegExp, string?])[] = [
      [['grant', NAME, 'Nobody'], 4, /No user goes by "Nobody". "cairn users"/],
      [['grant', 'no.txt', 'Ben'], 4, /No file goes by "no.txt". "cairn ls"/],
      [['grant', NAME, 'Ada'], 2, /yours already/],
      [['revoke', NAME, 'Nobody'], 4, /cairn users/],
      [['revoke', NAME, 'Ada'], 4, /no grant/],
      [['holders', NAME, 'add', 'toaster'], 4, /cairn devices/],
      [['holders', NAME, 'add', 'phone'], 1, /device of yours/],
      [['holders', NAME, 'add', 'nas'], 5, /stores, and is given no keys/],
      [['devices', 'revoke', 'toaster'], 4, /cairn devices/],
      [['devices', 'revoke', 'desk'], 4, /None of your devices/],
      [['devices', 'rename', 'phone', 'a/b'], 2, /Choose another/],
      [['invite', '--expires', '400d'], 2, /at most 90 days/],
      [['invite', 'cancel', 'x'], 4, /cairn invite list/],
      [['recovery', 'test'], 2, /24 words/, 'abandon abandon'],
      [['recovery', 'test'], 2, /word 1\b|first word|position 1|xyzzy/i, `xyzzy ${words}`],
      [['recovery', 'test'], 5, /not those of your kit/, words],
      [['passphrase', 'set'], 2, /Standard input is empty/, ''],
      [['passphrase', 'clear'], 2, /--yes/],
      [['publish', 'later.txt'], 4, /No file goes by/],
    ]
    for (const [args, code, says, input] of cases) {
      const found = await ada.run(args, input === undefined ? {} : { input })
      assert.match(found.err, says, args.join(' '))
      assert.equal(found.code, code, `${args.join(' ')}: ${found.err}`)
    }
    const used = await ada.json<{ code: string }>('invite')
    const { items } = await ada.json<Items<{ invite: string; state: string }>>('invite', 'list')
    await ada.do('invite', 'cancel', items.find(({ state }) => state === 'open')?.invite ?? '')
    const late = await places.place('late').run(['join', '-'], { input: used.code })
    assert.deepEqual(
      [late.code, /was cancelled. Ask for a new one/.test(late.err)],
      [5, true],
      late.err,
    )
    const again = await ben.run(['join', '-'], { input: used.code })
    assert.notEqual(again.code, 0)
    assert.match(again.err, /belongs to|runs|in use/)
  })

  it('a revoked device gets no connection, and nothing of what is added later', async () => {
    await becomes('the phone is back', async () => {
      const { items } = await phone.json<Items<{ connected: boolean }>>('peers')
      return items.some(({ connected }) => connected)
    })
    await ada.do('devices', 'revoke', 'phone', '--reason', 'left on a train')
    await becomes('nobody talks to the phone', async () => {
      const { items } = await phone.json<Items<{ connected: boolean }>>('peers')
      return items.every(({ connected }) => !connected)
    })
    await writeFile(join(places.directory, 'later.txt'), 'later than the train')
    const { added } = await ada.json<{ added: FileSummary[] }>('add', 'later.txt')
    const later = added[0]?.file ?? ''
    await holds(ben, later)
    assert.equal(
      (await listed(phone)).some((one) => one.file === later),
      false,
    )
    const devices = await ben.do('devices')
    assert.match(devices, /phone +Ada +member +revoked/)
    // The phone was shown the record itself, and goes by it.
    await becomes('the phone knows', async () =>
      /This device was revoked by "laptop" at \d{4}-.*left on a train/.test(
        await phone.do('status'),
      ),
    )
    const add = await phone.run(['add', 'later.txt'])
    assert.notEqual(add.code, 0)
    assert.match(add.err, /was revoked: what it states reaches nobody/)
    await phone.stop()
  })

  it('publish asks first; then everybody reads it', async () => {
    const asked = await ada.run(['publish', NAME])
    assert.equal(asked.code, 2)
    assert.match(asked.err, /Nothing takes that back.*--yes/)
    const { root } = await ada.json<{ root: string }>('publish', NAME, '--yes')
    await becomes('Ben sees it', async () =>
      (await listed(ben)).some((one) => one.root === root && one.local && one.name === NAME),
    )
    assert.equal((await ben.run(['cat', NAME])).out, CONTENT)
    assert.equal(await (await fetch(`${benNode.gateway}/ipfs/${root}`)).text(), CONTENT)
  })

  it('keys under a passphrase: a start needs it, from the environment or a file', async () => {
    const set = await cleo.run(['passphrase', 'set'], { input: 'correct horse\n' })
    assert.equal(set.code, 0, set.err)
    await cleo.stop()
    const without = await cleo.run(['start', '--detach'])
    assert.equal(without.code, 5)
    assert.match(without.err, /CAIRN_PASSPHRASE/)
    const wrong = await cleo.run(['start'], { env: { CAIRN_PASSPHRASE: 'wrong horse' } })
    assert.equal(wrong.code, 5)
    const path = join(places.directory, 'passphrase')
    await writeFile(path, 'correct horse\n')
    await cleo.serve(['start', '--passphrase-file', path])
    await cleo.do('passphrase', 'clear', '--yes')
    await cleo.stop()
    await cleo.serve(['start'])
    assert.match(await cleo.do('passphrase'), /cairn passphrase set/)
  })

  it('the recovery kit brings a person back who lost every device', async () => {
    assert.match(await ada.do('status'), /recovery test/)
    const shown = await ada.run(['recovery', 'show'])
    assert.equal(shown.code, 2)
    const { words } = await ada.json<{ words: string[] }>('recovery', 'show', '--yes')
    const input = words.map((word, index) => `${index + 1}. ${word}`).join('\n')
    assert.equal(
      (await ada.run(['recovery', 'test'], { input: `${words.join(' ')} abandon` })).code,
      2,
    )
    assert.equal((await ada.run(['recovery', 'test'], { input })).code, 0)
    assert.doesNotMatch(await ada.do('status'), /recovery test/)
    assert.deepEqual(await filesWith(join(ada.dataDir, 'logs'), words.slice(0, 2).join(' ')), [])
    await Promise.all([ada.stop(), nas.stop()])
    for (const place of [ada, phone, nas]) await place.remove()

    const again = places.place('again')
    const address = `${benNode.listen[0]}`
    const back = await again.serve(
      ['recovery', 'use', '--peer', address, '--device-name', 'new laptop'],
      { input },
    )
    assert.notEqual(back.device, adaNode.device)
    await becomes('the names are back', async () =>
      (await listed(again)).some(({ name }) => name === 'later.txt'),
    )
    assert.equal((await again.run(['cat', 'later.txt'])).out, 'later than the train')
    await again.do('devices', 'revoke', 'laptop', '--reason', 'lost')
    ada = again
  })
})
