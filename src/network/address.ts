/** Addresses of peers, as text that somebody typed or a file holds. */
import { createServer } from 'node:net'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { type DeviceId, deviceKeyOf } from '../chain/ids.ts'
import { codeOf, messageOf } from '../common/errors.ts'
import { networkError } from './errors.ts'

/** Letters of an address that is looked at. */
const MAX_ADDRESS_CHARACTERS = 512

/**
 * @throws `PEER_ADDRESS` when `text` is no multiaddr, not one of TCP over an IP address or a name, or names a
 * peer by anything else than an Ed25519 device id
 */
export function parseAddress(text: string): Multiaddr {
  const refuse = (why: string, cause?: unknown) =>
    networkError('PEER_ADDRESS', { address: text.slice(0, MAX_ADDRESS_CHARACTERS), why }, cause)
  if (text.length > MAX_ADDRESS_CHARACTERS) throw refuse('it is too long')
  if (!text.startsWith('/')) throw refuse('it does not begin with /')
  let address: Multiaddr
  try {
    address = multiaddr(text)
  } catch (error) {
    throw refuse('it cannot be read', error)
  }
  const [host, transport, peer, ...rest] = address.getComponents()
  if (!HOSTS.includes(host?.name ?? ''))
    throw refuse(`it must begin with one of ${HOSTS.join(', ')}`)
  if (transport?.name !== 'tcp') throw refuse('after the host comes /tcp/ and a port')
  if (rest.length > 0 || (peer !== undefined && peer.name !== 'p2p')) {
    throw refuse('after the port comes nothing but /p2p/ and a device id')
  }
  if (peer !== undefined && deviceKeyOf(peer.value ?? '') === undefined) {
    throw refuse('what follows /p2p/ is no device id')
  }
  return address
}

const HOSTS = ['ip4', 'ip6', 'dns', 'dns4', 'dns6']

/** The device that an address names; undefined when it names none. */
export function deviceOf(address: Multiaddr): DeviceId | undefined {
  const peer = address.getComponents().find(({ name }) => name === 'p2p')
  return peer?.value as DeviceId | undefined
}

/** The address without its `/p2p/` part. */
export function placeOf(address: Multiaddr): string {
  return address.toString().split('/p2p/')[0] ?? ''
}

/**
 * Why the host could not listen: libp2p says it only in words, so each address is tried once more to learn the
 * system's code. Gives `P2P_PORT_IN_USE` or `P2P_LISTEN`.
 */
export async function listenError(listen: readonly string[], error: unknown): Promise<Error> {
  for (const address of listen) {
    const failure = await tryListen(parseAddress(address))
    if (failure === undefined) continue
    return codeOf(failure) === 'EADDRINUSE'
      ? networkError('P2P_PORT_IN_USE', { address }, error)
      : networkError('P2P_LISTEN', { address, why: messageOf(failure) }, error)
  }
  return networkError('P2P_LISTEN', { address: listen.join(', '), why: 'see the cause' }, error)
}

function tryListen(address: Multiaddr): Promise<unknown> {
  const [host, port] = address.getComponents()
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', resolve)
    server.listen({ host: host?.value, port: Number(port?.value), exclusive: true }, () => {
      server.close(() => resolve(undefined))
    })
  })
}
