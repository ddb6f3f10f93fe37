/**
 * TLS for connections, loaded at the first one: its certificate libraries cost 12 MB and a tenth of a second,
 * and a node without peers needs neither.
 */
import type { ComponentLogger, ConnectionEncrypter, PrivateKey, Upgrader } from '@libp2p/interface'

export interface TlsComponents {
  readonly privateKey: PrivateKey
  readonly logger: ComponentLogger
  readonly upgrader: Upgrader
}

/** As in the specification (https://github.com/libp2p/specs/blob/master/tls/tls.md). */
const TLS_PROTOCOL = '/tls/1.0.0'

export function lazyTls(): (components: TlsComponents) => ConnectionEncrypter {
  return (components) => {
    let loading: Promise<ConnectionEncrypter> | undefined
    const load = (): Promise<ConnectionEncrypter> => {
      loading ??= import('@libp2p/tls').then(({ tls }) => tls()(components))
      return loading
    }
    return {
      protocol: TLS_PROTOCOL,
      secureInbound: async (connection, options) =>
        (await load()).secureInbound(connection, options),
      secureOutbound: async (connection, options) =>
        (await load()).secureOutbound(connection, options),
    }
  }
}
