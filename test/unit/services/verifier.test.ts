import { deepEqual, rejects } from 'node:assert/strict'
import { publicKeyOf, signEd25519 } from '../../../src/common/crypto.ts'
import {
  createVerifier,
  MAX_INLINE,
  MAX_POOLED,
  type SignedItem,
} from '../../../src/services/verifier.ts'

const seeds = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte))

function signed(index: number): SignedItem {
  const seed = seeds[index % seeds.length] ?? new Uint8Array(32)
  const message = Uint8Array.of(index & 255, index >> 8, 7)
  return {
    publicKey: publicKeyOf('ed25519', seed),
    message,
    signature: signEd25519(seed, message),
  }
}

function damaged(item: SignedItem): SignedItem {
  const signature = Uint8Array.from(item.signature)
  signature[0] = (signature[0] ?? 0) ^ 1
  return { ...item, signature }
}

/** Items of which every third has a bad signature, and what the verifier should say of them. */
function batch(size: number): { items: SignedItem[]; expected: boolean[] } {
  const items = Array.from({ length: size }, (_, index) =>
    index % 3 === 2 ? damaged(signed(index)) : signed(index),
  )
  return { items, expected: items.map((_, index) => index % 3 !== 2) }
}

describe('verifier', () => {
  for (const size of [0, 1, MAX_INLINE - 1, MAX_INLINE, MAX_POOLED, MAX_POOLED + 40]) {
    it(`tells good from bad in a batch of ${size}`, async () => {
      const { items, expected } = batch(size)
      deepEqual(await createVerifier().verify(items), expected)
    })
  }

  it('keeps batches that run at once apart', async () => {
    const verifier = createVerifier()
    const batches = [batch(300), batch(MAX_POOLED + 1), batch(9), batch(2)]
    const results = await Promise.all(batches.map(({ items }) => verifier.verify(items)))
    deepEqual(
      results,
      batches.map(({ expected }) => expected),
    )
  })

  it('takes urgent batches before those that wait', async () => {
    const verifier = createVerifier()
    const { items } = batch(300)
    const order: string[] = []
    const noted = (name: string, urgent: boolean) =>
      verifier.verify(items, { urgent }).then(() => order.push(name))
    const all = [noted('a', false), noted('b', false), noted('c', true), noted('d', true)]
    await Promise.all(all)
    deepEqual(order, ['c', 'd', 'a', 'b'])
  })

  it('takes bytes of a wrong length for a bad signature', async () => {
    const good = signed(0)
    const short = { ...good, signature: good.signature.subarray(1) }
    const noKey = { ...good, publicKey: new Uint8Array(0) }
    const items = [...batch(MAX_INLINE).items, short, noKey]
    deepEqual((await createVerifier().verify(items)).slice(MAX_INLINE), [false, false])
    deepEqual(await createVerifier().verify([short, noKey]), [false, false])
  })

  it('ends with the reason of a signal, and verifies the next batch', async () => {
    const verifier = createVerifier()
    const { items, expected } = batch(MAX_POOLED + 100)
    const stop = new AbortController()
    const aborted = verifier.verify(items, { signal: stop.signal })
    const next = verifier.verify(items)
    stop.abort(new Error('enough'))
    await rejects(aborted, /enough/)
    deepEqual(await next, expected)
    await rejects(verifier.verify(items, { signal: stop.signal }), /enough/)
  })

  it('VERIFIER_FAILED: stop ends the thread, and the next batch starts a new one', async () => {
    const verifier = createVerifier()
    const { items, expected } = batch(MAX_POOLED + 1)
    const broken = rejects(verifier.verify(items), { code: 'VERIFIER_FAILED' })
    await verifier.stop()
    await broken
    deepEqual(await verifier.verify(items), expected)
    await verifier.stop()
  })
})
