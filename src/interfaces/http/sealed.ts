/** Versions whose name, size and hash this device cannot open. */
import { fileError } from '../../services/files/errors.ts'
import type { FileInfo, FileVersion } from './api-files.ts'

/** A version with all that it says. */
export interface OpenVersion extends FileVersion {
  readonly name: string
  readonly mediaType: string
  readonly size: number
  readonly sha256: string
}

export function isOpen(version: FileVersion): version is OpenVersion {
  const { name, mediaType, size, sha256 } = version
  return name !== null && mediaType !== null && size !== null && sha256 !== null
}

/** @throws FILE_SEALED */
export function openVersion({ file }: Pick<FileInfo, 'file'>, version: FileVersion): OpenVersion {
  if (!isOpen(version)) throw fileError('FILE_SEALED', { file })
  return version
}
