import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ContentApi } from '../http/api.ts'
import type { Blocks } from './blocks.ts'
import type { GatewayRequest } from './request.ts'

/** One request to the gateway on its way to an answer. */
export interface Visit {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Aborts when the client leaves or the node stops. */
  readonly signal: AbortSignal
  readonly asked: GatewayRequest
  readonly content: ContentApi
  readonly blocks: Blocks
}
