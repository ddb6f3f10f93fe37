/** The HTTP API of a node: all routes on one server. */
import type { Clock } from '../../common/clock.ts'
import type { Logger } from '../../common/logger.ts'
import type { NodeApi } from './api.ts'
import { createEventStream } from './event-stream.ts'
import type { WebServer } from './listener.ts'
import { ok, type Route, route } from './route.ts'
import { accessRoutes } from './routes/access.ts'
import { backupRoutes } from './routes/backups.ts'
import { certificateRoutes } from './routes/certificates.ts'
import { chainRoutes } from './routes/chain.ts'
import { contentRoutes } from './routes/content.ts'
import { fileRoutes } from './routes/files.ts'
import { legacyRoutes } from './routes/legacy.ts'
import { memberRoutes } from './routes/members.ts'
import { type NodeRoutesComponents, nodeRoutes } from './routes/node.ts'
import { peopleRoutes } from './routes/people.ts'
import { vaultRoutes } from './routes/vault.ts'
import { voteRoutes } from './routes/votes.ts'
import { createHttpServer, type HttpServerInit } from './server.ts'

export interface HttpApiComponents {
  readonly node: NodeApi
  readonly token: string
  readonly logger: Logger
  readonly clock: Clock
  readonly gatewayUrl: () => string | undefined
  readonly shutdown: NodeRoutesComponents['shutdown']
}

/** @param init.version - of the program, for the document */
export function createHttpApi(
  { node, token, logger, clock, gatewayUrl, shutdown }: HttpApiComponents,
  init: Omit<HttpServerInit, 'purpose'> & { readonly version: string },
): WebServer {
  const stream = createEventStream({ events: node.events, clock })
  const urls = () => ({ api: server.url ?? null, gateway: gatewayUrl() ?? null })
  const routes: Route[] = [
    ...nodeRoutes({ node, stream, clock, urls, shutdown }),
    ...fileRoutes(node),
    ...contentRoutes(node),
    ...voteRoutes(node),
    ...accessRoutes(node),
    ...certificateRoutes(node),
    ...legacyRoutes(node),
    ...chainRoutes(node),
    ...memberRoutes(node),
    ...peopleRoutes(node),
    ...backupRoutes(node),
    ...vaultRoutes(node),
    route('GET', '/openapi.json', {
      summary: 'This document',
      open: true,
      reply: 'Document',
      gives: 'the document',
      handle: async () => {
        // Only who asks for it pays for it.
        const { openApiOf } = await import('./openapi.ts')
        return ok(openApiOf(routes, init.version))
      },
    }),
  ]
  const server = createHttpServer(
    { routes, token, logger },
    { ...init, purpose: { what: 'HTTP API', flag: '--port' } },
  )
  return {
    get url() {
      return server.url
    },
    start: () => server.start(),
    stop: async () => {
      stream.close()
      await server.stop()
    },
  }
}
