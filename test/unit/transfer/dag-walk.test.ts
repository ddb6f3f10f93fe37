import assert from 'node:assert/strict'
import fc from 'fast-check'
import { comparePaths, createWalk, type WalkNode } from '../../../src/network/transfer/dag-walk.ts'
import { join, type Tree, treeOf } from './content.ts'

/** Walks `tree`, answering with the open node that `pick` chooses; the CIDs in the order in which they were named. */
function walked(tree: Tree, pick: (open: number) => number, ahead: number): string[] {
  const bytes = new Map(tree.blocks.map((block) => [block.cid.toString(), block.bytes]))
  const walk = createWalk(tree.root)
  const named: string[] = []
  const open: WalkNode[] = []
  while (!walk.done) {
    for (let node = walk.next(); node !== undefined; node = walk.next()) {
      named.push(node.cid.toString())
      open.push(node)
      if (open.length >= ahead) break
    }
    const [node] = open.splice(pick(open.length), 1)
    assert.ok(node !== undefined, 'a walk that is not done has something open')
    if (node.inner) walk.expand(node, bytes.get(node.cid.toString()) ?? new Uint8Array(0))
    walk.finish(node)
  }
  return named
}

describe('transfer: walk', () => {
  it('without looking ahead it is depth-first', () => {
    const tree = treeOf(21, 10, 3)
    const order = tree.blocks.map(({ cid }) => cid.toString())
    assert.deepEqual(
      walked(tree, () => 0, 1),
      order,
    )
  })

  it('names every node once, in whatever order the answers come', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 2, max: 5 }),
        fc.integer({ min: 1, max: 40 }),
        fc.infiniteStream(fc.nat()),
        (leaves, width, ahead, picks) => {
          const tree = treeOf(leaves, 4, width)
          const named = walked(tree, (open) => picks.next().value % open, ahead)
          assert.deepEqual([...named].sort(), tree.blocks.map(({ cid }) => `${cid}`).sort())
        },
      ),
      { numRuns: 50 },
    )
  })

  it('goes back to the first bytes when their node comes late', () => {
    const [first, second] = [treeOf(3, 10, 4, 1), treeOf(3, 10, 4, 2)]
    const tree = join([first, second])
    const named = walked(tree, (open) => open - 1, 3)
    const leaf = `${first.blocks[1]?.cid}`
    const late = `${second.blocks[3]?.cid}`
    assert.ok(named.includes(leaf) && named.includes(late))
    assert.ok(comparePaths([0, 0], [0, 0, 1]) < 0 && comparePaths([0, 1], [0, 0, 1]) > 0)
  })
})
