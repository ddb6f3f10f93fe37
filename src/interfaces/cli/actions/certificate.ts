/** `certificate`. */
import { rename, rm, stat, writeFile } from 'node:fs/promises'
import { messageOf } from '../../../common/errors.ts'
import { segment } from '../../client/segment.ts'
import { interfaceError } from '../../errors.ts'
import type { FileInfo } from '../../http/api-files.ts'
import { pickVersion } from '../../http/versions.ts'
import { printable, size } from '../format.ts'
import type { Options } from '../register.ts'
import type { Session } from '../session.ts'
import { localName } from './get.ts'

export async function certificate(
  session: Session,
  [file = '']: readonly string[],
  options: Options,
): Promise<void> {
  const { output, force } = options
  if (output === '-' && session.json) {
    throw interfaceError('USAGE', { why: '-o - and --json both want standard output.' })
  }
  const client = await session.node()
  const path = `/api/v1/files/${segment(file)}`
  const info = await client.get<FileInfo>(path, {}, session.signal)
  const wanted = options.version === undefined ? undefined : String(options.version)
  const { version, name, visibility } = pickVersion(info, wanted)
  const target =
    typeof output === 'string' ? output : `${localName(name ?? 'private-file')}.certificate.html`
  if (target !== '-' && force !== true && (await exists(target))) {
    throw interfaceError('TARGET_EXISTS', { path: target })
  }
  const response = await client.open(
    'GET',
    `/api/v1/files/${info.file}/certificate`,
    { query: { version } },
    session.signal,
  )
  const chunks: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
  const page = Buffer.concat(chunks)
  if (target === '-') {
    session.terminal.out.write(page)
    return
  }
  const part = `${target}.part`
  try {
    await writeFile(part, page)
    await rename(part, target)
  } catch (error) {
    await rm(part, { force: true })
    throw interfaceError('TARGET_UNWRITABLE', { path: target, why: messageOf(error) }, error)
  }
  if (visibility === 'private') {
    session.note(
      'note: with this page, a member of the network can read name, type, size and SHA-256 of this file’s versions, not their content.',
    )
  }
  session.result(
    { path: target, file: info.file, version, size: page.length },
    `${printable(target)}  ${size(page.length)}; check it with: cairn verify-certificate ${printable(target)}`,
  )
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
