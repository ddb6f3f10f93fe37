/** Users, devices, peers. */
import type { NodeApi, SeenDevice } from '../api.ts'
import { objectOf, ok, type Route, route } from '../route.ts'

export function memberRoutes({ members, peers }: Pick<NodeApi, 'members' | 'peers'>): Route[] {
  return [
    route('GET', '/api/v1/users', {
      summary: 'The people of this network',
      reply: { items: 'User' },
      gives: '{items}',
      handle: () => ok({ items: members.users() }),
    }),
    route('GET', '/api/v1/devices', {
      summary: 'Their devices',
      reply: { items: 'Device' },
      gives: '{items}',
      handle: () => {
        const peersById = new Map(peers.list().map((peer) => [peer.device, peer]))
        const items = members.devices().map((device): SeenDevice => {
          const since = peersById.get(device.device)?.since ?? null
          return { ...device, seen: device.self ? null : since }
        })
        return ok({ items })
      },
    }),
    route('GET', '/api/v1/peers', {
      summary: 'Devices that this node is connected with or knows addresses of',
      reply: { items: 'Peer' },
      gives: '{items}',
      handle: () => ok({ items: peers.list() }),
    }),
    route('POST', '/api/v1/peers', {
      summary: 'Remember the address of a device and connect to it',
      body: objectOf(
        {
          address: {
            type: 'string',
            minLength: 1,
            maxLength: 512,
            description: 'multiaddr with the device: /ip4/192.168.1.5/tcp/4005/p2p/12D3KooW…',
          },
        },
        'address',
      ),
      status: 201,
      reply: 'Peer',
      gives: 'the peer',
      handle: async ({ body, signal }) => ({
        status: 201,
        json: await peers.add(body.address, signal),
      }),
    }),
    route('GET', '/api/v1/peers/export', {
      summary: 'A bootstrap file that another device can start with',
      reply: 'PeersFile',
      gives: 'the file',
      handle: () => ok(peers.export()),
    }),
  ]
}
