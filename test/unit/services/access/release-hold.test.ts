import assert from 'node:assert/strict'
import type { DeviceId, RecordId, UserId } from '../../../../src/chain/ids.ts'
import { createEvents } from '../../../../src/common/events.ts'
import { createReleaseHold } from '../../../../src/services/access/release-hold.ts'
import type { NodeEvents } from '../../../../src/services/events.ts'
import { createVirtualClock } from '../../network/virtual-clock.ts'

const [BOB, CAROL, ADA] = ['bob', 'carol', 'ada'] as UserId[]
const deviceOf = (user: UserId | undefined): DeviceId => `${user} device` as DeviceId

describe('keys that wait', () => {
  const made = (init: { signedBefore?: boolean; known?: (UserId | undefined)[] } = {}) => {
    const { signedBefore = true, known = [BOB, CAROL] } = init
    const clock = createVirtualClock()
    const events = createEvents<NodeEvents>((error) => {
      throw error
    })
    const hold = createReleaseHold({
      events,
      clock,
      userOf: (device) => device.replace(' device', '') as UserId,
      signedBefore: () => signedBefore,
      known: () => known.map(deviceOf),
    })
    /** Whether a key would leave to Bob now. */
    const opens = async (signal = new AbortController().signal): Promise<boolean> => {
      let open = false
      hold.ready(BOB, signal).then(
        () => {
          open = true
        },
        () => {},
      )
      await clock.advance(0)
      return open
    }
    const adopt = (): void =>
      events.emit('record:adopted', { record: 'r' as RecordId, sequence: 7 })
    return { clock, hold, opens, adopt }
  }

  it('after a start, until a sync with somebody else than the one who asks', async () => {
    const { hold, opens } = made()
    await hold.start()
    assert.equal(await opens(), false)
    hold.synced(deviceOf(BOB))
    assert.equal(await opens(), false, 'who asks may not tell')
    hold.synced(deviceOf(CAROL))
    assert.equal(await opens(), true)
  })

  it('a device that signed nothing yet gave nothing out', async () => {
    const { hold, opens } = made({ signedBefore: false })
    await hold.start()
    assert.equal(await opens(), true)
  })

  it('where nobody else is known, a sync with the one who asks will do', async () => {
    const { hold, opens } = made({ known: [BOB] })
    await hold.start()
    assert.equal(await opens(), false)
    hold.synced(deviceOf(BOB))
    assert.equal(await opens(), true)
  })

  it('a device of the same user counts as somebody else', async () => {
    const { hold, opens } = made({ known: [BOB, ADA] })
    await hold.start()
    hold.synced(deviceOf(ADA))
    assert.equal(await opens(), true)
  })

  it('not longer than ten seconds', async () => {
    const { clock, hold, opens } = made()
    await hold.start()
    await clock.advance(9_900)
    assert.equal(await opens(), false)
    await clock.advance(200)
    assert.equal(await opens(), true)
  })

  it('again when a record of this device comes from outside, a minute in all', async () => {
    const { clock, hold, opens, adopt } = made()
    await hold.start()
    hold.synced(deviceOf(CAROL))
    await clock.advance(20_000)
    adopt()
    assert.equal(await opens(), false)
    hold.synced(deviceOf(CAROL))
    assert.equal(await opens(), true)
    for (let at = 0; at < 8; at += 1) {
      adopt()
      await clock.advance(9_000)
    }
    assert.equal(await opens(), true, 'one record after the other holds it no longer')
  })

  it('a wait that is broken off ends with its reason', async () => {
    const { hold } = made()
    await hold.start()
    const stop = new AbortController()
    const waiting = hold.ready(BOB, stop.signal)
    stop.abort(new Error('enough'))
    await assert.rejects(waiting, /enough/)
    await assert.rejects(hold.ready(BOB, stop.signal), /enough/)
  })
})
