/** `verify-certificate`: no node, no network, no data directory. */
import { open } from 'node:fs/promises'
import { certificateError } from '../../../chain/certificate-errors.ts'
import type { CertificateFacts } from '../../../chain/certificate-facts.ts'
import { toHex } from '../../../common/bytes.ts'
import { checkCertificatePage, MAX_PAGE_BYTES } from '../../../services/certificates/page.ts'
import { certificateWords } from '../../../services/certificates/words.ts'
import { importContent } from '../../../services/files/import.ts'
import { interfaceError } from '../../errors.ts'
import { fields, printable } from '../format.ts'
import type { Options } from '../register.ts'
import type { Session } from '../session.ts'
import { readSource, STDIN } from '../sources.ts'

export async function verifyCertificate(
  session: Session,
  [path = '']: readonly string[],
  options: Options,
): Promise<void> {
  const facts = checkCertificatePage(await readPage(path))
  const { network } = options
  if (typeof network === 'string' && network !== facts.network) {
    const details = { found: facts.network, wanted: network.slice(0, 100) }
    throw certificateError('CERTIFICATE_NETWORK', details)
  }
  const file = typeof options.file === 'string' ? options.file : undefined
  const compared = file === undefined ? null : await compare(session, facts, file)
  session.result({ ok: true, ...facts, compared }, () => textOf(facts, compared))
}

export interface Compared {
  readonly path: string
  readonly size: number
  readonly sha256: string
  /** The CID of its bytes; null: the version is private, and its CID is that of encrypted bytes. */
  readonly cid: string | null
}

/** @throws CERTIFICATE_FILE - the file is another one */
async function compare(
  { signal, progress }: Session,
  { details, visibility, root }: CertificateFacts,
  path: string,
): Promise<Compared> {
  if (details === null) {
    const why = 'it does not open the SHA-256 of its private file, so nothing can be compared'
    throw certificateError('CERTIFICATE_FILE', { path, why })
  }
  const bar = progress(path)
  const nowhere = { putVerified: async () => {} }
  const found = await importContent(nowhere, readSource(path), {
    signal,
    onBytes: (bytes) => bar.update(bytes, details.size),
  }).finally(() => bar.end())
  const sha256 = toHex(found.sha256)
  if (sha256 !== details.sha256 || found.size !== details.size) {
    const why = `it has ${found.size} bytes with SHA-256 ${sha256}, certified are ${details.size} with ${details.sha256}`
    throw certificateError('CERTIFICATE_FILE', { path, why })
  }
  if (visibility === 'public' && found.root !== root) {
    const why = `its CID is ${found.root}, certified is ${root}`
    throw certificateError('CERTIFICATE_FILE', { path, why })
  }
  return { path, size: found.size, sha256, cid: visibility === 'public' ? found.root : null }
}

/** At most one byte more than a page may have: that is then refused. */
async function readPage(path: string): Promise<Uint8Array> {
  if (path === STDIN) {
    const why = 'A certificate is read from a file, not from standard input.'
    throw interfaceError('USAGE', { why })
  }
  const file = await open(path, 'r').catch((error: unknown) => {
    throw unreadable(path, error)
  })
  try {
    const { size } = await file.stat()
    const bytes = new Uint8Array(Math.min(size, MAX_PAGE_BYTES + 1))
    let filled = 0
    while (filled < bytes.length) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return bytes.subarray(0, filled)
  } catch (error) {
    throw unreadable(path, error)
  } finally {
    await file.close()
  }
}

function unreadable(path: string, error: unknown): Error {
  const { code, message } = error as { code?: string; message: string }
  const why = code === 'ENOENT' ? 'there is nothing of that name' : (code ?? message)
  return interfaceError('SOURCE_UNREADABLE', { path, why }, error)
}

function textOf(facts: CertificateFacts, compared: Compared | null): string {
  const words = certificateWords(facts)
  const part = (heading: string, sentences: readonly string[]): string =>
    [heading, ...sentences.map((each) => `  - ${printable(each)}`)].join('\n')
  const file =
    compared === null
      ? 'No file was compared; --file PATH does.'
      : `${printable(compared.path)} has exactly the certified bytes${
          compared.cid === null ? '' : ', SHA-256 and CID'
        }.`
  return [
    'the certificate is right',
    fields(words.facts),
    file,
    part('It proves:', words.proves),
    part('It only states:', words.stated),
    part('It does not prove:', words.notProven),
  ].join('\n\n')
}
