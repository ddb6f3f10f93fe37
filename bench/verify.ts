/** Signatures in batches, as sync checks them, against one core that does nothing else. */
import { publicKeyOf, signEd25519 } from '../src/common/crypto.ts'
import { createVerifier, type SignedItem } from '../src/services/verifier.ts'
import { bench, verifyRate } from './support/measure.ts'

const BATCH = 500
const KEYS = 5

await bench('verify', async ({ quick }) => {
  const items = Array.from({ length: BATCH }, (_, index): SignedItem => {
    const seed = new Uint8Array(32).fill(1 + (index % KEYS))
    const message = new Uint8Array(420).fill(index)
    return {
      publicKey: publicKeyOf('ed25519', seed),
      message,
      signature: signEd25519(seed, message),
    }
  })
  const verifier = createVerifier()
  await verifier.verify(items)
  const baseline = { name: 'one core', value: verifyRate(), unit: '/s' }
  const batches = quick ? 10 : 60
  const cpu = process.threadCpuUsage()
  const started = performance.now()
  for (let i = 0; i < batches; i += 1) await verifier.verify(items)
  const seconds = (performance.now() - started) / 1000
  const used = process.threadCpuUsage(cpu)
  const count = batches * BATCH
  return [
    { name: 'signatures', value: count / seconds, unit: '/s', baseline },
    { name: 'main thread per signature', value: (used.user + used.system) / count, unit: 'µs' },
  ]
})
