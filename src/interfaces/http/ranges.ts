/** One byte range of a request (RFC 9110, 14). Several ranges are answered with the whole, as it allows. */
export interface ByteRange {
  /** First byte and the one after the last. */
  readonly start: number
  readonly end: number
}

/**
 * What a Range header asks for of `size` bytes: undefined means the whole (no range, not understood, or
 * several), `unsatisfiable` means 416.
 */
export function parseRange(
  header: string | undefined,
  size: number,
): ByteRange | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '')
  if (match === null) return undefined
  const [, from = '', to = ''] = match
  if (from === '' && to === '') return undefined
  if (from === '') {
    const length = Number(to)
    if (length === 0 || size === 0) return 'unsatisfiable'
    return { start: Math.max(0, size - length), end: size }
  }
  const start = Number(from)
  if (to !== '' && Number(to) < start) return undefined
  if (start >= size) return 'unsatisfiable'
  return { start, end: to === '' ? size : Math.min(Number(to) + 1, size) }
}

/** Whether an If-None-Match header names `etag` (weak comparison). */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  if (header.trim() === '*') return true
  const bare = etag.replace(/^W\//, '')
  return header.split(',').some((entry) => entry.trim().replace(/^W\//, '') === bare)
}
