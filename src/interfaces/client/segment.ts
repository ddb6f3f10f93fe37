/** What a person names, as one segment of a path. */
import { interfaceError } from '../errors.ts'

/** @throws USAGE for what no path can carry: an empty name, and the names that mean folders */
export function segment(text: string): string {
  // A URL drops these two, also when they are encoded.
  if (text === '' || text === '.' || text === '..') {
    throw interfaceError('USAGE', {
      why: `"${text}" names nothing: give a name, an id, the beginning of an id, or a CID.`,
    })
  }
  return encodeURIComponent(text)
}
