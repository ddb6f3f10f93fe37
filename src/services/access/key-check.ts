/** Whether a key that somebody gave opens a version: by the first bytes of it, where they are here. */
import { codeOf } from '../../common/errors.ts'
import type { ContentBlockstore } from '../../storage/blockstore.ts'
import type { VersionRecord } from '../../storage/projections.ts'
import { createGetBlock } from '../files/blocks.ts'
import { readEncrypted } from '../files/private-content.ts'
import type { FileKeys } from './file-keys.ts'

/** Milliseconds are no matter: nothing but this disk is read. */
const NEVER = new AbortController().signal

export function createKeyCheck(components: {
  readonly content: Pick<ContentBlockstore, 'bytes' | 'putVerified'>
  readonly keys: Pick<FileKeys, 'open'>
}): (version: VersionRecord, key: Uint8Array) => Promise<boolean | undefined> {
  const getBlock = createGetBlock(components.content)
  return async (version, key) => {
    const { body } = version
    const size = (await components.keys.open(version))?.details.size
    if (body.visibility !== 'private' || size === undefined || size === 0) return undefined
    const content = { root: body.root, header: body.header, key }
    try {
      for await (const _ of readEncrypted(getBlock, content, { size, length: 1 }, NEVER)) break
      return true
    } catch (error) {
      return codeOf(error).startsWith('CIPHER_') ? false : undefined
    }
  }
}
