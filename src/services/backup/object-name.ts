/** The names of objects at a destination: what every file system, database and object store takes as it is. */
import { backupError } from './errors.ts'

const MAX_LENGTH = 200
const ALLOWED = /^[\w.-]+(?:\/[\w.-]+)*$/
/** Parts that lead elsewhere in a file system. */
const DOTS = /(?:^|\/)\.{1,2}(?:\/|$)/

/** The name, when it is one. @throws OBJECT_NAME */
export function objectName(name: string): string {
  if (!isObjectName(name)) {
    throw backupError('OBJECT_NAME', { name: JSON.stringify(name.slice(0, MAX_LENGTH)) })
  }
  return name
}

export function isObjectName(name: string): boolean {
  return name.length <= MAX_LENGTH && ALLOWED.test(name) && !DOTS.test(name)
}
