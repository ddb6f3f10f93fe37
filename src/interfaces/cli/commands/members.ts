/** users, devices, peers. */
import { Command } from 'commander'
import { count } from '../../../common/plural.ts'
import type { PeersFile } from '../../../network/peers-file.ts'
import { segment } from '../../client/segment.ts'
import type { DeviceSummary, PeerSummary, SeenDevice, UserSummary } from '../../http/api.ts'
import { revokeDevice, revokedWords } from '../actions/revoke-device.ts'
import { printable, shortId, table, time } from '../format.ts'
import type { CommandSetup } from '../register.ts'
import { nameOf, stateWord } from '../states.ts'

export function registerMembers({ program, register }: CommandSetup): void {
  register(program.command('users').description('the people of this network'), async (session) => {
    const client = await session.node()
    const { items } = await client.get<{ items: UserSummary[] }>(
      '/api/v1/users',
      {},
      session.signal,
    )
    session.result({ items }, () =>
      table(
        ['name', 'role', 'devices', 'files', 'reputation', 'joined', 'state', 'id'],
        items.map((user) => [
          user.self ? `${user.name} (you)` : user.name,
          user.role,
          `${user.devices}`,
          `${user.files}`,
          (user.reputation / 1000).toFixed(1),
          time(user.joined),
          stateWord(user.state),
          shortId(user.user),
        ]),
      ),
    )
  })

  const devices = program
    .command('devices')
    .description('the devices of this network; revoke one of yours that is lost')
  register(devices, async (session) => {
    const client = await session.node()
    const { items } = await client.get<{ items: SeenDevice[] }>(
      '/api/v1/devices',
      {},
      session.signal,
    )
    session.result({ items }, () =>
      table(
        ['name', 'of', 'role', 'now', 'seen', 'added', 'state', 'id'],
        items.map((device) => [
          device.name,
          nameOf(device.user),
          device.role,
          nowWord(device),
          device.self || device.connected ? 'now' : device.seen === null ? '-' : time(device.seen),
          time(device.added),
          stateWord(device.state),
          device.device,
        ]),
      ),
    )
  })

  const DEVICE = 'name, id, or beginning of an id'
  const rename = new Command('rename')
    .description('another name for one of your devices')
    .argument('<device>', DEVICE)
    .argument('<name>', 'the new name')
  register(rename, async (session, [device = '', name = '']) => {
    const client = await session.node()
    const path = `/api/v1/devices/${segment(device)}/name`
    const done = await client.call('POST', path, { json: { name } }, session.signal)
    session.result(done, `${printable(device)} is called ${printable(name)} now`)
  })
  const revoke = new Command('revoke')
    .description('shut one of your devices out for good; you get a new key, which it does not have')
    .argument('<device>', DEVICE)
    .option('--reason <text>', 'for the history')
    .option('--force', 'also your last device')
    .option('--with-admitted', 'also those of your devices that it let in, but never this one')
  register(revoke, async (session, [device = ''], { reason, force, withAdmitted }) => {
    const options = {
      ...(typeof reason === 'string' ? { reason } : {}),
      ...(force === true ? { force: true } : {}),
      ...(withAdmitted === true ? { withAdmitted: true } : {}),
    }
    const done = await revokeDevice(session, device, options)
    session.result(done, revokedWords(done))
  })
  for (const command of [rename, revoke]) devices.addCommand(command.copyInheritedSettings(program))

  const peers = program.command('peers').description('devices that this one is connected with')
  register(peers, async (session) => {
    const client = await session.node()
    const { items } = await client.get<{ items: PeerSummary[] }>(
      '/api/v1/peers',
      {},
      session.signal,
    )
    session.result({ items }, () => {
      const connected = items.filter((peer) => peer.connected).length
      if (items.length === 0) {
        return 'no other device is known; give this one the address of another: cairn peers add MULTIADDR'
      }
      const rows = items.map((peer) => [
        peer.name ?? '-',
        peer.connected ? `connected (${peer.direction ?? '?'})` : '-',
        peer.latencyMs === null ? '-' : `${peer.latencyMs} ms`,
        peer.addresses[0] ?? '-',
        shortId(peer.device),
      ])
      return `${count(connected, 'device')} connected\n\n${table(['name', 'now', 'latency', 'address', 'id'], rows)}`
    })
  })
  const add = new Command('add')
    .description('remember the address of a device and connect to it')
    .argument('<multiaddr>', '/ip4/192.168.1.5/tcp/4005/p2p/12D3KooW…')
  register(add, async (session, [address = '']) => {
    const client = await session.node()
    const peer = await client.call<PeerSummary>(
      'POST',
      '/api/v1/peers',
      { json: { address } },
      session.signal,
    )
    session.result(
      peer,
      peer.connected
        ? `connected with ${peer.name ?? peer.device}`
        : `remembered ${peer.device}; it does not answer now and is tried again`,
    )
  })
  const exported = new Command('export').description(
    'print a bootstrap file for another device (start --peers)',
  )
  register(exported, async (session) => {
    const client = await session.node()
    const file = await client.get<PeersFile>('/api/v1/peers/export', {}, session.signal)
    session.result(file, () => JSON.stringify(file, null, 2))
  })
  for (const command of [add, exported]) peers.addCommand(command.copyInheritedSettings(program))
}

function nowWord({ self, active, connected, state }: DeviceSummary): string {
  if (!active && state.status === 'confirmed') return 'revoked'
  if (self) return 'this device'
  return connected ? 'connected' : '-'
}
