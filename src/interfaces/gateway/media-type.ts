/** The media type of bytes: by the name that they go by, else by how they begin. */
import { safeMediaType } from '../http/content-headers.ts'

const MAGIC: readonly (readonly [offset: number, hex: string, type: string])[] = [
  [0, '89504e470d0a1a0a', 'image/png'],
  [0, 'ffd8ff', 'image/jpeg'],
  [0, '47494638', 'image/gif'],
  [8, '57454250', 'image/webp'],
  [0, '25504446', 'application/pdf'],
  [0, '504b0304', 'application/zip'],
  [0, '1f8b', 'application/gzip'],
  [0, '28b52ffd', 'application/zstd'],
  [4, '66747970', 'video/mp4'],
  [0, '1a45dfa3', 'video/webm'],
  [0, '4f676753', 'application/ogg'],
  [0, '494433', 'audio/mpeg'],
  [0, '664c6143', 'audio/flac'],
  [0, '7b5c727466', 'application/rtf'],
]
const HTML = /^\s*(<!doctype html|<html|<head|<body)/i
/** Bytes at the beginning that are looked at. */
const SNIFFED = 512

/** @param head - the first bytes; `names` - what the bytes are called, the most specific first */
export async function mediaTypeOf(head: Uint8Array, names: readonly string[]): Promise<string> {
  if (names.some((name) => name.includes('.'))) {
    const { default: mime } = await import('mime-types')
    for (const name of names) {
      const type = name.includes('.') ? mime.contentType(name.slice(name.lastIndexOf('.'))) : false
      if (type !== false) return safeMediaType(type)
    }
  }
  return sniff(head.subarray(0, SNIFFED))
}

function sniff(head: Uint8Array): string {
  const hex = Buffer.from(head.buffer, head.byteOffset, head.length).toString('hex')
  for (const [offset, magic, type] of MAGIC) if (hex.startsWith(magic, offset * 2)) return type
  let text: string
  try {
    // A letter may be cut at the end of the sample: `stream` forgives that.
    text = new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true })
  } catch {
    return 'application/octet-stream'
  }
  if (/[^\P{Cc}\t\n\r\f]/u.test(text)) return 'application/octet-stream'
  return HTML.test(text) ? 'text/html; charset=utf-8' : 'text/plain; charset=utf-8'
}

/** Types that a browser runs. */
export function isActive(type: string): boolean {
  return /^(text\/html|application\/xhtml\+xml|image\/svg\+xml|[\w.-]+\/([\w.-]+\+)?xml|text\/xsl)\b/i.test(
    type,
  )
}
