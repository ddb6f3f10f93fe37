/** `node.json` and `token`: how a client on this machine finds the running node. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../../common/errors.ts'
import { interfaceError } from '../errors.ts'
import { check, type Infer } from '../json-schema.ts'

const text = { type: 'string', maxLength: 1024 } as const
const nodeFileSchema = {
  type: 'object',
  properties: {
    pid: { type: 'integer', minimum: 1 },
    version: text,
    startedAt: { type: 'integer' },
    api: text,
    gateway: { anyOf: [text, { type: 'null' }] },
  },
  required: ['pid', 'version', 'startedAt', 'api', 'gateway'],
  additionalProperties: false,
} as const

/** What the running node wrote of itself. */
export type NodeFile = Infer<typeof nodeFileSchema>

export function nodeFilePath(dataDir: string): string {
  return join(dataDir, 'node.json')
}

/** @throws NO_NODE when there is none, or it is damaged */
export async function readNodeFile(dataDir: string): Promise<NodeFile> {
  try {
    const value: unknown = JSON.parse(await readFile(nodeFilePath(dataDir), 'utf8'))
    if (check(nodeFileSchema, value, '').length === 0) return value as NodeFile
  } catch (error) {
    if (!(error instanceof SyntaxError) && !['ENOENT', 'ENOTDIR'].includes(codeOf(error)))
      throw error
  }
  throw interfaceError('NO_NODE', { dataDir })
}

/** The token of the HTTP API of a node that wrote `node.json`. @throws TOKEN_MISSING */
export async function readToken(dataDir: string, { pid }: NodeFile): Promise<string> {
  const path = join(dataDir, 'token')
  try {
    const token = (await readFile(path, 'utf8')).trim()
    if (token !== '') return token
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
  throw interfaceError('TOKEN_MISSING', { path, pid })
}
