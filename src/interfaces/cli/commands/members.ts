/** users, devices, peers. */
import { Command } from 'commander'
import { count } from '../../../common/plural.ts'
import type { PeersFile } from '../../../network/peers-file.ts'
import type { DeviceSummary, PeerSummary, UserSummary } from '../../http/api.ts'
import { shortId, table, time } from '../format.ts'
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

  register(program.command('devices').description('their devices'), async (session) => {
    const client = await session.node()
    const { items } = await client.get<{ items: DeviceSummary[] }>(
      '/api/v1/devices',
      {},
      session.signal,
    )
    session.result({ items }, () =>
      table(
        ['name', 'of', 'now', 'records', 'added', 'state', 'id'],
        items.map((device) => [
          device.name,
          nameOf(device.user),
          device.self
            ? 'this device'
            : device.connected
              ? 'connected'
              : device.active
                ? '-'
                : 'revoked',
          `${device.sequence + 1}`,
          time(device.added),
          stateWord(device.state),
          shortId(device.device),
        ]),
      ),
    )
  })

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
