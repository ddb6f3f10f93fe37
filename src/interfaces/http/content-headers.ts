/** Headers under which bytes that somebody else chose are given to a browser. */

/** Letters of a file name in a header. */
const MAX_HEADER_NAME = 255

/**
 * Content-Disposition (RFC 6266) with a file name that can neither break the header nor hide its ending:
 * a plain form for old programs, and RFC 5987's for all others.
 */
export function contentDisposition(kind: 'attachment' | 'inline', name: string): string {
  const clean = name
    .toWellFormed()
    // Control characters, and the marks that turn the reading direction ("gpj.exe" shown as "exe.jpg").
    .replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '')
    .replace(/[/\\]/g, '_')
    .slice(0, MAX_HEADER_NAME)
    .toWellFormed()
  const plain = clean.replace(/[^\x20-\x7e]/g, '_').replace(/["%]/g, '_')
  const extended = encodeURIComponent(clean).replace(
    /['()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  const star = plain === clean ? '' : `; filename*=UTF-8''${extended}`
  return `${kind}; filename="${plain}"${star}`
}

/** `type` when it can stand in a header as a media type, `application/octet-stream` otherwise. */
export function safeMediaType(type: string): string {
  return /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(\s*;\s*[\w-]+="?[\w!#$&^.+ -]*"?)*$/.test(type)
    ? type
    : 'application/octet-stream'
}

/** No script of the bytes runs, and nothing is loaded by them, wherever they are shown. */
export const INERT_CONTENT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
