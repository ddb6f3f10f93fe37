/**
 * Names that people see: of files, folders, users and devices. What could leave its folder, break a line or
 * turn the direction of the text around it is no name.
 */

import { utf8 } from '../common/bytes.ts'
import { encodingError } from '../common/errors.ts'
import type { Shape } from '../common/schema.ts'

/** Bytes of a name: what common file systems allow. */
export const MAX_NAME_BYTES = 255

// C0 and C1 control characters, DEL, the separators of folders.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f/\\]/
// Embeddings, overrides and isolates (Unicode Standard Annex 9, 2.1 to 2.5), which can show a name backwards.
const DIRECTION = /[\u202a-\u202e\u2066-\u2069]/

/** What is wrong with a name, as the end of a sentence that begins "The name"; undefined when it is good. */
export function checkName(name: string): string | undefined {
  if (name === '') return 'is empty'
  if (
    name.length > MAX_NAME_BYTES ||
    (name.length * 3 > MAX_NAME_BYTES && utf8(name).length > MAX_NAME_BYTES)
  ) {
    return `is longer than ${MAX_NAME_BYTES} bytes`
  }
  if (!name.isWellFormed()) return 'is not well-formed Unicode'
  if (FORBIDDEN.test(name)) return 'has a slash, a backslash or a control character in it'
  if (DIRECTION.test(name)) return 'has a character in it that turns the direction of writing'
  if (name === '.' || name === '..') return 'means a folder'
  return undefined
}

/** A name as part of a record. */
export const nameShape: Shape<string> = {
  read: (value, path) => {
    if (typeof value !== 'string') throw encodingError(`${path} must be a name`)
    const fault = checkName(value)
    if (fault !== undefined) throw encodingError(`${path} ${fault}`)
    return value
  },
  write: (value) => value,
}

// RFC 6838, 4.2: type/subtype of letters, digits and a few signs; parameters in printable ASCII.
const MEDIA_TYPE = /^[A-Za-z0-9][\w.+!#$&^-]*\/[A-Za-z0-9][\w.+!#$&^-]*( ?;[\u0020-\u007e]*)?$/
/** Bytes of a media type (RFC 6838 recommends at most 64 for each half). */
const MAX_MEDIA_TYPE_BYTES = 127

/** A media type: it ends up in an HTTP header, so nothing but printable ASCII. */
export const mediaTypeShape: Shape<string> = {
  read: (value, path) => {
    const good =
      typeof value === 'string' && value.length <= MAX_MEDIA_TYPE_BYTES && MEDIA_TYPE.test(value)
    if (!good) throw encodingError(`${path} must be a media type`)
    return value
  },
  write: (value) => value,
}

/** Text of at most `max` characters (code points), one line or several. */
export function prose(max: number): Shape<string> {
  return {
    read: (value, path) => {
      const good =
        typeof value === 'string' &&
        value.length <= 2 * max &&
        value.isWellFormed() &&
        (value.length <= max || [...value].length <= max)
      if (!good) throw encodingError(`${path} must be text of at most ${max} characters`)
      return value
    },
    write: (value) => value,
  }
}
