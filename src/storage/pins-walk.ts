/** The blocks of a DAG of content, each once, from the root down. Leaves are named, not read. */
import { decode } from '@ipld/dag-pb'
import { CID } from 'multiformats/cid'
import { DAG_PB } from '../common/dag-cbor.ts'

/** The bytes of a node; undefined when it is not here or damaged. */
export type ReadNode = (cid: CID) => Promise<Uint8Array | undefined>

/**
 * A node that occurs many times is read once, so that a DAG that repeats itself costs what it stores and not
 * what it stands for. Memory: one text per node, none per leaf; a leaf that occurs twice comes twice.
 *
 * @returns (yields) cid, and `missing` for a node that could not be read: what is below it is not known
 */
export async function* dagBlocks(
  root: string,
  read: ReadNode,
): AsyncGenerator<{ readonly cid: CID; readonly missing: boolean }> {
  const seen = new Set<string>([root])
  // Depth first, and what stands here are links of nodes on the way down: a thousand per level.
  const open: CID[] = [CID.parse(root)]
  for (let cid = open.pop(); cid !== undefined; cid = open.pop()) {
    if (cid.code !== DAG_PB) {
      yield { cid, missing: false }
      continue
    }
    const bytes = await read(cid)
    yield { cid, missing: bytes === undefined }
    for (const link of bytes === undefined ? [] : linksOf(bytes)) {
      if (link.code === DAG_PB) {
        const text = link.toString()
        if (seen.has(text)) continue
        seen.add(text)
      }
      open.push(link)
    }
  }
}

/** Links of a dag-pb node; none when the bytes are no node, whatever their name says. */
function linksOf(bytes: Uint8Array): CID[] {
  try {
    return decode(bytes).Links.map((link) => link.Hash)
  } catch {
    return []
  }
}
