import assert from 'node:assert/strict'
import { oneAtATime, unlessStopped } from '../../../../src/services/backup/destinations/waiting.ts'

const never = new AbortController().signal

describe('waiting for what others do', () => {
  it('gives up when it is told to', async () => {
    assert.equal(await unlessStopped(Promise.resolve(1), never), 1)
    const controller = new AbortController()
    const waiting = unlessStopped(new Promise(() => {}), controller.signal)
    const reason = new Error('told to stop')
    controller.abort(reason)
    await assert.rejects(waiting, reason)
    await assert.rejects(unlessStopped(new Promise(() => {}), controller.signal), reason, 'before')
  })

  it('runs what has the same key in order, also after a failure and after one that gave up', async () => {
    const inTurn = oneAtATime()
    const ran: string[] = []
    const first = Promise.withResolvers<void>()
    const controller = new AbortController()
    const all = [
      inTurn('a', never, async () => {
        await first.promise
        ran.push('first')
        throw new Error('failed')
      }),
      inTurn('a', controller.signal, async () => ran.push('gave up')),
      inTurn('a', never, async () => ran.push('third')),
      inTurn('b', never, async () => ran.push('other key')),
    ]
    const ends = Promise.allSettled(all)
    controller.abort(new Error('told to stop'))
    await assert.rejects(all[1] ?? assert.fail(), /told to stop/)
    assert.deepEqual(ran, ['other key'])
    first.resolve()
    assert.deepEqual(
      (await ends).map(({ status }) => status),
      ['rejected', 'rejected', 'fulfilled', 'fulfilled'],
    )
    assert.deepEqual(ran, ['other key', 'first', 'third'])
  })
})
