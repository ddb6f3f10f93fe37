/** `export`. */
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../../../common/errors.ts'
import {
  decodeLegacy,
  LEGACY_KINDS,
  legacyName,
  MAX_CONTAINER_BYTES,
} from '../../../services/legacy/container.ts'
import { segment } from '../../client/segment.ts'
import { interfaceError } from '../../errors.ts'
import { printable, size } from '../format.ts'
import type { Options } from '../register.ts'
import type { Session } from '../session.ts'

export async function exportLegacy(
  session: Session,
  [folder = '']: readonly string[],
  options: Options,
): Promise<void> {
  const from = typeof options.from === 'string' ? options.from : undefined
  if (from !== undefined && options.private === true) {
    const why = '--private is for the history of this network; an import is written as it is.'
    throw interfaceError('USAGE', { why })
  }
  const targets = new Map(LEGACY_KINDS.map((kind) => [kind, join(folder, legacyName(kind))]))
  for (const path of targets.values()) {
    if (options.force !== true && (await exists(path))) {
      throw interfaceError('FOLDER_TAKEN', { path })
    }
  }
  const client = await session.node()
  const path = from === undefined ? 'history' : `${segment(from)}/content`
  const query = options.private === true ? { private: true } : {}
  const response = await client.open(
    'GET',
    `/api/v1/legacy/${path}`,
    { query, answerMs: Number.POSITIVE_INFINITY },
    session.signal,
  )
  const chunks: Buffer[] = []
  let received = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    received += chunk.length
    if (received > MAX_CONTAINER_BYTES) {
      throw interfaceError('NODE_ANSWER', { url: client.url, why: 'it is too large' })
    }
    chunks.push(chunk)
  }
  const parts = decodeLegacy(new Uint8Array(Buffer.concat(chunks)))
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw interfaceError('TARGET_UNWRITABLE', { path: folder, why: messageOf(error) }, error)
  })
  const written: { path: string; size: number }[] = []
  for (const { kind, bytes } of parts) {
    const target = targets.get(kind) ?? ''
    await write(target, bytes)
    written.push({ path: target, size: bytes.length })
  }
  session.result({ files: written }, () =>
    written.map((one) => `${printable(one.path)}  ${size(one.size)}`).join('\n'),
  )
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  const part = `${path}.part`
  try {
    await writeFile(part, bytes)
    await rename(part, path)
  } catch (error) {
    await rm(part, { force: true })
    throw interfaceError('TARGET_UNWRITABLE', { path, why: messageOf(error) }, error)
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
