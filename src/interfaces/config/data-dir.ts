import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Environment } from './load.ts'

/**
 * The data directory: the flag, `CAIRN_DATA_DIR`, `CAIRN_STORAGE_PATH` (the forerunner's
 * key), or the platform's own place for application data.
 */
export function dataDirectory(
  flag: string | undefined,
  environment: Environment,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  const chosen = flag ?? environment.CAIRN_DATA_DIR ?? environment.CAIRN_STORAGE_PATH
  if (chosen !== undefined && chosen !== '') return resolve(chosen)
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'cairn')
  if (platform === 'win32') {
    return join(environment.LOCALAPPDATA ?? join(home, 'AppData', 'Local'), 'cairn')
  }
  const data = environment.XDG_DATA_HOME
  // The specification wants relative values ignored.
  return data?.startsWith('/') === true
    ? join(data, 'cairn')
    : join(home, '.local', 'share', 'cairn')
}
