/** The lists of S3 (`ListObjectsV2`): XML of a fixed form, read without an XML parser. */
import type { StoredObject } from '../destination.ts'
import { isObjectName } from '../object-name.ts'
import { malformed, sizeOf, timeOf } from './answers.ts'

const ENTITIES: Readonly<Record<string, string>> = {
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&apos;': "'",
  '&amp;': '&',
}

/**
 * A page's objects under `prefix`, without it, and the token of the next page. Objects of other programs in the same
 * bucket, whose names are none, are passed over.
 *
 * @throws DESTINATION_FAILED when it is no such list, or leads nowhere
 */
export function readPage(
  body: Uint8Array,
  prefix: string,
  destination: string,
  token: string | undefined,
): { readonly objects: readonly StoredObject[]; readonly next: string | undefined } {
  const xml = Buffer.from(body).toString('utf8')
  if (!/<ListBucketResult[\s>]/.test(xml) || !/<\/ListBucketResult>\s*$/.test(xml)) {
    throw malformed(destination, 'no list of objects')
  }
  const objects: StoredObject[] = []
  for (const entry of entriesOf(xml)) {
    const key = fieldOf(entry, 'Key') ?? ''
    const name = key.slice(prefix.length)
    if (!key.startsWith(prefix) || !isObjectName(name)) continue
    objects.push({
      name,
      size: sizeOf(fieldOf(entry, 'Size'), destination),
      stored: timeOf(fieldOf(entry, 'LastModified'), destination),
    })
  }
  if (fieldOf(xml, 'IsTruncated') !== 'true') return { objects, next: undefined }
  const next = fieldOf(xml, 'NextContinuationToken')
  if (next === undefined || next === '' || next === token) {
    throw malformed(destination, 'a list that has more and does not say where')
  }
  return { objects, next }
}

/** What stands between `<Contents>` and the next `</Contents>`; each character is looked at once. */
function* entriesOf(xml: string): Generator<string> {
  for (let end = 0; ; ) {
    const start = xml.indexOf('<Contents>', end)
    end = start < 0 ? -1 : xml.indexOf('</Contents>', start)
    if (end < 0) return
    yield xml.slice(start, end)
  }
}

/** Oldest first; what has the same time, by name. */
export function inOrder(objects: StoredObject[]): readonly StoredObject[] {
  return objects.sort((a, b) => a.stored - b.stored || (a.name < b.name ? -1 : 1))
}

function fieldOf(xml: string | undefined, tag: string): string | undefined {
  const text = new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(xml ?? '')?.[1]
  return text?.replace(/&(?:lt|gt|quot|apos|amp);/g, (entity) => ENTITIES[entity] ?? entity)
}
