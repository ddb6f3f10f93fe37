/** Any range of a private file: only the segments that it touches are fetched and decrypted. */
import { createContentCipher } from '../../common/content-cipher.ts'
import { storedSizeOf } from '../../common/content-format.ts'
import { decryptContent } from '../../common/content-stream.ts'
import type { GetBlock } from './blocks.ts'
import { type ReadRange, readContent } from './export.ts'

/**
 * @param range - in plain bytes, `size` too
 * @throws as `readContent`, and CIPHER_*
 */
export function readEncrypted(
  getBlock: GetBlock,
  content: { readonly root: string; readonly header: Uint8Array; readonly key: Uint8Array },
  { size, offset = 0, length = size }: ReadRange,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { root, header, key } = content
  const storedSize = storedSizeOf(size)
  return decryptContent(
    createContentCipher({ key, header }),
    { storedSize, offset, length },
    (from, to) =>
      readContent(getBlock, root, { size: storedSize, offset: from, length: to - from }, signal),
  )
}
