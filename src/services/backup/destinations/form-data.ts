/** `multipart/form-data` (RFC 7578), whole in memory: objects are bounded. */
import { randomBytes } from 'node:crypto'

export interface FormPart {
  readonly name: string
  /** Letters, digits, `-`, `_`, `.`. */
  readonly filename?: string
  readonly bytes: Uint8Array
}

export function formData(parts: readonly FormPart[]): {
  readonly body: Uint8Array
  readonly contentType: string
} {
  const boundary = `cairn-${randomBytes(24).toString('hex')}`
  const chunks: Uint8Array[] = []
  for (const { name, filename, bytes } of parts) {
    const file = filename === undefined ? '' : `; filename="${filename}"`
    const type = filename === undefined ? '' : 'Content-Type: application/octet-stream\r\n'
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n${type}\r\n`
    chunks.push(Buffer.from(head), bytes, Buffer.from('\r\n'))
  }
  chunks.push(Buffer.from(`--${boundary}--\r\n`))
  return {
    body: Buffer.concat(chunks),
    contentType: `multipart/form-data; boundary=${boundary}`,
  }
}
