/**
 * What the bundle leaves out of Helia: the parts that make a node of the public network (HTTP gateways,
 * WebRTC, DHT, relays, certificates). A Cairn node is wired by hand and calls none of them, but Helia's entry
 * modules import them, and with them two thirds of the code and of the memory.
 */
import type { Plugin } from 'esbuild'

const LEFT_OUT: readonly { readonly file: RegExp; readonly names: readonly string[] }[] = [
  { file: /[\\/]@helia[\\/]libp2p[\\/].*[\\/]libp2p-defaults\.js$/, names: ['libp2pDefaults'] },
  { file: /[\\/]@helia[\\/]http[\\/]dist[\\/]src[\\/]index\.js$/, names: ['withHTTP'] },
]

export const leaveOut: Plugin = {
  name: 'leave-out',
  setup: (build) => {
    for (const { file, names } of LEFT_OUT) {
      build.onLoad({ filter: file }, () => ({
        contents: names
          .map((name) => `export function ${name} () { throw new Error('${name} is left out') }`)
          .join('\n'),
      }))
    }
  },
}
