/** Destinations of one variable: a database, a folder. */
import type { CairnError } from '../../../common/errors.ts'
import { type Environment, type Plan, planOf } from './variables.ts'

/** `DATABASE_URL=postgresql://user:password@host:port/database` */
export function postgresFrom(environment: Environment): Plan | CairnError | undefined {
  return planOf(environment, 'postgres', ['DATABASE_URL'], ({ need, refuse }) => {
    const url = need('DATABASE_URL')
    const parsed = URL.parse(url)
    if (parsed === null || !/^postgres(?:ql)?:$/.test(parsed.protocol)) {
      return refuse('DATABASE_URL', 'it is no address that begins with postgresql://')
    }
    // What is read as another part would stand in the name, the log and the status: of a password with "/", for instance.
    const isWhole =
      url.includes('://') &&
      parsed.hash === '' &&
      /^(?:\/[^/@:]*)?$/.test(parsed.pathname) &&
      ![...parsed.searchParams.keys()].some((key) => key.includes('@'))
    if (!isWhole) {
      return refuse(
        'DATABASE_URL',
        'its user or password has characters that stand for something else in an address: write them as %2F (/), %3F (?), %23 (#), %40 (@), %3A (:)',
      )
    }
    const name = `postgres ${parsed.hostname || 'local'}${parsed.pathname}`
    return {
      kind: 'postgres',
      name,
      open: async ({ clock }) => {
        const { createPostgresDestination } = await import('../destinations/postgres.ts')
        return createPostgresDestination({ clock }, { name, url })
      },
    }
  })
}

/** `CAIRN_BACKUP_FOLDER=/mnt/data/backups` */
export function folderFrom(environment: Environment): Plan | CairnError | undefined {
  return planOf(environment, 'folder', ['CAIRN_BACKUP_FOLDER'], ({ need }) => {
    const path = need('CAIRN_BACKUP_FOLDER')
    return {
      kind: 'folder',
      name: path,
      open: async ({ clock }) => {
        const { createFolderDestination } = await import('../destinations/folder.ts')
        return createFolderDestination({ clock }, { path })
      },
    }
  })
}
