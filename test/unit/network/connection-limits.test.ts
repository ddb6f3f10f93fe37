import assert from 'node:assert/strict'
import type { Connection } from '@libp2p/interface'
import { createConnectionLimits } from '../../../src/network/connection-limits.ts'
import type { Host } from '../../../src/network/host.ts'
import { handClock } from '../../helpers/chain-node.ts'

interface Dialled {
  readonly connection: Connection
  readonly aborted: () => boolean
}

describe('places of guests', () => {
  const clock = handClock(1000)
  let open: Dialled[] = []
  let dial: (peer: string) => Dialled

  beforeEach(async () => {
    open = []
    const target = new EventTarget()
    const libp2p = Object.assign(target, {
      getConnections: (peer: { toString(): string }) =>
        open
          .filter(({ connection, aborted }) => {
            return !aborted() && connection.remotePeer.toString() === peer.toString()
          })
          .map(({ connection }) => connection),
    })
    const host = { libp2p, isMember: (device: string) => device.startsWith('member') }
    await createConnectionLimits({ host: host as unknown as Host, clock }).start()
    const tell = (name: string, detail: Connection): void =>
      void target.dispatchEvent(new CustomEvent(name, { detail }))
    dial = (peer) => {
      let aborted = false
      const connection = {
        remotePeer: { toString: () => peer },
        abort: () => {
          aborted = true
          tell('connection:close', connection)
        },
      } as unknown as Connection
      const dialled = { connection, aborted: () => aborted }
      open.push(dialled)
      tell('connection:open', connection)
      return dialled
    }
  })

  const refused = (dialled: readonly Dialled[]): number =>
    dialled.filter(({ aborted }) => aborted()).length

  it('two of one key, four of one member, eight in all', () => {
    assert.equal(refused(Array.from({ length: 5 }, () => dial('guest'))), 3)
    assert.equal(refused(Array.from({ length: 5 }, () => dial('member'))), 1)
    assert.equal(refused(Array.from({ length: 10 }, (_, at) => dial(`guest ${at}`))), 4)
  })

  it('the oldest makes room, when it had time enough', () => {
    const first = dial('guest')
    for (let at = 1; at < 8; at += 1) dial(`guest ${at}`)
    assert.equal(dial('too soon').aborted(), true)
    clock.time += 10_000
    assert.equal(dial('in time').aborted(), false)
    assert.equal(first.aborted(), true)
    clock.time += 80_000
    assert.equal(open.filter(({ aborted }) => !aborted()).length, 1, 'ninety seconds at most')
  })
})
