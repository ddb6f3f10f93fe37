import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createPeopleNetwork, type PeopleNetwork, settled } from './network-of-people.ts'

const PROGRAM = fileURLToPath(new URL('joiner-process.ts', import.meta.url))
/** Milliseconds after the start of the join; it takes some 200 to 500. */
const KILLS = [60, 120, 180, 240, 320, 400]

describe('a joiner that is killed', function () {
  this.timeout(90_000)
  let people: PeopleNetwork
  before(async () => {
    people = await createPeopleNetwork()
  })
  after(() => people.end())

  /** What it said of the network, unless it was killed before. */
  const run = async (code: string, killAfterMs?: number): Promise<string> => {
    const child = spawn(process.execPath, [PROGRAM, people.dirOf('Ben'), code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let out = ''
    const begun = once(child.stdout, 'data')
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
    const ended = once(child, 'close')
    await begun
    if (killAfterMs !== undefined) {
      await delay(killAfterMs)
      child.kill('SIGKILL')
    }
    await ended
    return out.split('\n')[1] ?? ''
  }

  it('gets in with the same code, once', async () => {
    const ada = await people.start('Ada')
    await settled(ada)
    const { code, invite } = await ada.invites.create({ kind: 'member' })
    let said = ''
    for (const ms of KILLS) {
      said = await run(code, ms)
      if (said !== '') break
    }
    if (said === '') said = await run(code)
    // Killed between the last step of its join and the word of it, it is told that it is in.
    const joined = JSON.parse(said) as { device: string; user: string } | 'in before'
    const ben = await people.start('Ben')
    const { device, user } = ben.identity
    if (joined !== 'in before') assert.deepEqual([device, user], [joined.device, joined.user])
    await settled(ada, ben)
    assert.equal(ada.members.users().length, 2)
    const used = ada.invites.list().find((one) => one.invite === invite.invite)
    assert.equal(used?.usedBy, device)
  })
})
