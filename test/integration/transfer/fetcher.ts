/** A process that fetches a tree into a directory and tells how far it is, to be killed by a test. */
import { CID } from 'multiformats/cid'
import { startDevice } from './devices.ts'

const [dir = '', address = '', root = ''] = process.argv.slice(2)
const device = await startDevice(dir)
await device.dial(address)
await device.transfer.fetchDag(CID.parse(root), {
  signal: AbortSignal.timeout(30_000),
  onProgress: ({ bytes }) => process.send?.({ bytes }),
})
process.send?.({ done: true })
await device.stop()
process.disconnect()
