/** Checks what a person gives for a file: name, folders, media type, visibility. */
import { lookup } from 'mime-types'
import { checkName, mediaTypeShape } from '../../chain/names.ts'
import { MAX_FOLDER_DEPTH } from '../../chain/record-bodies.ts'
import { fileError } from './errors.ts'
import type { AddOptions, Visibility } from './types.ts'

const UNKNOWN_TYPE = 'application/octet-stream'

export interface Labels {
  readonly name: string
  readonly folder: readonly string[]
  readonly mediaType: string
  readonly visibility: Visibility
}

/**
 * The labels of a version, names in Unicode's form NFC so that one name is one text on every system.
 *
 * @param before - the version that is updated: what the options leave out stays
 * @throws FILE_NAME, FILE_FOLDER, FILE_MEDIA_TYPE, FILE_VISIBILITY
 */
export function labelsOf(
  options: Partial<AddOptions>,
  before?: Partial<Labels> & Pick<Labels, 'visibility'>,
): Labels {
  const name = (options.name ?? before?.name ?? '').normalize('NFC')
  const fault = checkName(name)
  if (fault !== undefined) throw fileError('FILE_NAME', { fault })
  const folder = (options.folder ?? before?.folder ?? []).map((part) => part.normalize('NFC'))
  if (folder.length > MAX_FOLDER_DEPTH) {
    throw fileError('FILE_FOLDER', { fault: `more than ${MAX_FOLDER_DEPTH} levels` })
  }
  for (const part of folder) {
    const wrong = checkName(part)
    if (wrong !== undefined) throw fileError('FILE_FOLDER', { fault: `a name in it ${wrong}` })
  }
  const visibility: string = options.visibility ?? before?.visibility ?? 'private'
  if (visibility !== 'public' && visibility !== 'private') throw fileError('FILE_VISIBILITY')
  return { name, folder, mediaType: mediaTypeOf(options, name, before), visibility }
}

function mediaTypeOf(options: Partial<AddOptions>, name: string, before?: Partial<Labels>): string {
  if (options.mediaType === undefined) {
    if (before?.mediaType !== undefined && before.name === name) return before.mediaType
    return lookup(name) || UNKNOWN_TYPE
  }
  try {
    return mediaTypeShape.read(options.mediaType, 'media type')
  } catch (error) {
    throw fileError('FILE_MEDIA_TYPE', { fault: 'is not one' }, error)
  }
}
