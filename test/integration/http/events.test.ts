import assert from 'node:assert/strict'
import { get, type IncomingMessage } from 'node:http'
import { systemClock } from '../../../src/common/clock.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { createEventStream } from '../../../src/interfaces/http/event-stream.ts'
import { createListener, type WebServer } from '../../../src/interfaces/http/listener.ts'
import { createFakeNode } from '../../unit/interfaces/fake-node.ts'

/** Reads server-sent events of one connection. */
async function open(url: string, lastId?: string) {
  const headers: Record<string, string> = lastId === undefined ? {} : { 'last-event-id': lastId }
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { headers, agent: false }, resolve).on('error', reject)
  })
  let text = ''
  const reader = response[Symbol.asyncIterator]()
  return {
    /** The next event. */
    next: async (): Promise<{ id: string; event: string; data: Record<string, unknown> }> => {
      for (;;) {
        const match = /id: (\S+)\nevent: (\S+)\ndata: (.*)\n\n/.exec(text)
        if (match !== null) {
          text = text.slice(match.index + match[0].length)
          return { id: match[1] ?? '', event: match[2] ?? '', data: JSON.parse(match[3] ?? '{}') }
        }
        const { value, done } = await reader.next()
        assert.ok(!done, 'the stream ended')
        text += String(value)
      }
    },
    close: () => response.destroy(),
  }
}

describe('event stream', () => {
  const fake = createFakeNode()
  const stream = createEventStream({ events: fake.events, clock: systemClock }, { kept: 4 })
  let server: WebServer
  const emit = (height: number): void =>
    fake.events.emit('chain:tip', { block: 'b' as never, height, chainwork: 2n ** 60n })

  before(async () => {
    server = createListener(
      {
        logger: silentLogger,
        serve: (request, response, signal) =>
          stream.serve(
            { id: '', request, response, signal, params: {}, query: {}, body: {} },
            undefined,
          ),
      },
      { host: '127.0.0.1', port: 0, purpose: { what: '', flag: '' } },
    )
    await server.start()
  })
  after(() => server.stop())

  it('sends events with ids, big numbers as text, and resumes', async () => {
    const first = await open(server.url ?? '')
    emit(1)
    const one = await first.next()
    assert.deepEqual(
      [one.event, one.data.height, one.data.chainwork],
      ['chain:tip', 1, `${2n ** 60n}`],
    )
    first.close()
    emit(2)
    emit(3)
    const second = await open(server.url ?? '', one.id)
    assert.deepEqual([(await second.next()).data.height, (await second.next()).data.height], [2, 3])
    emit(4)
    assert.equal((await second.next()).data.height, 4)
    second.close()
    for (const height of [5, 6, 7, 8, 9]) emit(height)
    const late = await open(server.url ?? '', one.id)
    assert.equal((await late.next()).event, 'gap')
    emit(10)
    assert.equal((await late.next()).data.height, 10)
    late.close()
    const other = await open(server.url ?? '', 'zzz-1')
    assert.equal((await other.next()).event, 'gap')
    other.close()
  })
})
