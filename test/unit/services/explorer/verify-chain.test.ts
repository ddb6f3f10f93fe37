import assert from 'node:assert/strict'
import { createVerifyChain } from '../../../../src/services/explorer/verify-chain.ts'
import { fileStatement, verifier } from '../../../helpers/backup-world.ts'
import { createChainNode, handClock } from '../../../helpers/chain-node.ts'

describe('verification of the chain', () => {
  const never = new AbortController().signal
  const chainOf = async (blocks: number) => {
    const clock = handClock(1_700_000_001_000)
    const node = createChainNode('ada', { clock })
    await node.join()
    const grow = async (): Promise<void> => {
      clock.time += 2000
      await node.mine()
    }
    await grow()
    for (let n = 0; n < blocks; n += 1) {
      await node.publish(fileStatement(`file ${n}`))
      await grow()
    }
    return { node, grow }
  }

  it('a chain that grows meanwhile is right', async () => {
    const { node, grow } = await chainOf(3)
    let looked = false
    const verify: typeof verifier.verify = async (items) => {
      if (!looked) {
        looked = true
        await node.publish(fileStatement('meanwhile'))
        await grow()
      }
      return verifier.verify(items)
    }
    const check = createVerifyChain({ store: node.store, verifier: { verify } }, node.params)
    const { ok, problem, blocks } = await check(never)
    assert.deepEqual([ok, problem, blocks], [true, null, 5])
  })

  it('one that loses blocks meanwhile is right too', async () => {
    const { node } = await chainOf(3)
    let looked = 0
    const verify: typeof verifier.verify = async (items) => {
      looked += 1
      if (looked === 2) node.store.disconnect(node.store.tip())
      return verifier.verify(items)
    }
    const check = createVerifyChain({ store: node.store, verifier: { verify } }, node.params)
    const { ok, problem, blocks } = await check(never)
    assert.deepEqual([ok, problem, blocks], [true, null, 3])
  })
})
