import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The program's version: of the nearest package.json above this file, which is the package's own. */
export function programVersion(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  for (;;) {
    try {
      const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
        name?: string
        version?: string
      }
      if (name === 'cairn' && version !== undefined) return version
    } catch {
      // One further up.
    }
    const above = dirname(folder)
    if (above === folder) return '0.0.0'
    folder = above
  }
}
