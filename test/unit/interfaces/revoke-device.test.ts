import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import type { DeviceId, RecordId } from '../../../src/chain/ids.ts'
import { revokeDevice, revokedWords } from '../../../src/interfaces/cli/actions/revoke-device.ts'
import type { Session } from '../../../src/interfaces/cli/session.ts'
import type { Client } from '../../../src/interfaces/client/client.ts'
import type { RevokedDevice } from '../../../src/services/people/devices.ts'

const SELF = '12D3KooWself' as DeviceId
const tablet = { device: '12D3KooWtablet' as DeviceId, name: 'tablet', added: 1_700_000_000_000 }
const self = { ...tablet, device: SELF, name: 'desk' }

describe('a device is revoked at the command line', () => {
  /** A terminal at which somebody answers, and a node. */
  const at = (answer: string | undefined, standing = [tablet, self]) => {
    const said: string[] = []
    const calls: unknown[] = []
    const input = Object.assign(new PassThrough(), { isTTY: answer !== undefined })
    const err = {
      isTTY: answer !== undefined,
      write: (text: string) => {
        said.push(text)
        if (answer !== undefined) setImmediate(() => input.write(`${answer}\n`))
      },
    }
    const done: RevokedDevice = {
      device: '12D3KooWphone' as DeviceId,
      name: 'phone',
      record: 'bafyrecord' as RecordId,
      also: [],
      admitted: standing,
    }
    const client = {
      call: async (_method: string, path: string, { json }: { json: Record<string, unknown> }) => {
        calls.push([path, json])
        if (json.withAdmitted !== true) return done
        return { ...done, record: null, also: [tablet], admitted: [self] }
      },
      get: async () => ({ identity: { device: SELF } }),
    }
    const session = {
      terminal: { input, out: new PassThrough(), err },
      signal: new AbortController().signal,
      json: false,
      quiet: false,
      node: async () => client as unknown as Client,
    }
    return { session: session as unknown as Session, said, calls }
  }
  const PATH = '/api/v1/devices/phone/revoke'

  it('at once; those that it let in are named, and shut out after a yes', async () => {
    const { session, said, calls } = at('yes')
    const done = await revokeDevice(session, 'phone', { reason: 'lost' })
    assert.deepEqual(calls, [
      [PATH, { reason: 'lost' }],
      [PATH, { reason: 'lost', withAdmitted: true }],
    ])
    assert.match(said.join(''), /phone is shut out[\s\S]*tablet {2}12D3KooWtablet, since 2023/)
    assert.doesNotMatch(said.join(''), /desk/, 'not the one that somebody sits at')
    assert.equal(done.record, 'bafyrecord')
    assert.match(revokedWords(done), /Shut out with it[\s\S]*tablet[\s\S]*still stand[\s\S]*desk/)
  })

  it('any other answer leaves them, and says how it is done later', async () => {
    const { session, calls } = at('no')
    const done = await revokeDevice(session, 'phone', {})
    assert.equal(calls.length, 1)
    assert.match(revokedWords(done), /tablet[\s\S]*cairn devices revoke phone --with-admitted/)
  })

  it('a script is not asked, nor is somebody whom it does not concern', async () => {
    const script = at(undefined)
    await revokeDevice(script.session, 'phone', {})
    assert.deepEqual([script.calls.length, script.said], [1, []])
    const alone = at('yes', [self])
    await revokeDevice(alone.session, 'phone', {})
    assert.deepEqual([alone.calls.length, alone.said], [1, []])
    const json = at('yes')
    await revokeDevice({ ...json.session, json: true }, 'phone', {})
    assert.deepEqual([json.calls.length, json.said], [1, []])
  })
})
