import { interfaceError } from '../errors.ts'
import type { FileInfo, FileVersion } from './api-files.ts'

/**
 * The version of a file that `wanted` names: its number, its id or an unambiguous beginning of that; the
 * newest current one when it is undefined.
 *
 * @throws VERSION_NOT_FOUND
 */
export function pickVersion(info: FileInfo, wanted: string | undefined): FileVersion {
  const list = info.versionList
  const fitting =
    wanted === undefined
      ? list.filter(({ version }) => version === info.version)
      : /^\d{1,6}$/.test(wanted)
        ? list.filter(({ number }) => number === Number(wanted))
        : list.filter(({ version, root }) => version.startsWith(wanted) || root === wanted)
  const [found] = fitting
  if (found === undefined || new Set(fitting.map(({ version }) => version)).size > 1) {
    throw interfaceError('VERSION_NOT_FOUND', {
      name: info.name ?? info.file,
      version: (wanted ?? info.version).slice(0, 100),
      count: list.length,
    })
  }
  return found
}
