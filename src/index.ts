/**
 * The public API: a node inside another program, and a client of a node that runs.
 *
 * @example
 * import { createNode, createLogger } from 'cairn'
 *
 * const logger = createLogger('info', console.error, Date.now)
 * const options = { dataDir: './data', name: 'Ada', deviceName: 'laptop', version: '1', logger }
 * const node = await createNode(options, AbortSignal.timeout(60_000))
 * await node.start()
 * console.log(await node.status())
 * await node.stop()
 */
export { CairnError } from './common/errors.ts'
export { createLogger, type Logger, type LogLevel } from './common/logger.ts'
export { type Client, createClient, findNode } from './interfaces/client/client.ts'
export type * from './interfaces/http/api.ts'
export type * from './interfaces/http/api-chain.ts'
export type * from './interfaces/http/api-common.ts'
export type * from './interfaces/http/api-files.ts'
export { type CairnNode, createNode } from './node/node.ts'
export type { NodeOptions } from './node/options.ts'
export type { NodeEvents } from './services/events.ts'
