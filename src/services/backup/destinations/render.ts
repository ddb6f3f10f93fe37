/**
 * The CID of the newest backup as an environment variable of a service on Render, through Render's API: after a
 * deploy that wiped the disk, the node finds it there.
 */
import type { Clock } from '../../../common/clock.ts'
import { answerError, succeeded } from './answers.ts'
import type { CidKeeper } from './cids.ts'
import { at, createHttp } from './http.ts'

/** The variable that is set, and read at the next start. */
export const CID_VARIABLE = 'CAIRN_BACKUP_CID'

export interface RenderInit {
  readonly apiKey: string
  /** `srv-…` */
  readonly serviceId: string
  /** `https://api.render.com/v1` */
  readonly api: URL
  /** Whether an object is one from which a restore can begin. */
  readonly wanted: (name: string) => boolean
}

/**
 * Sets one variable by its own address: the address of all of them replaces the whole list and would erase the others.
 * Render applies it at the next deploy.
 */
export function createRenderKeeper(
  components: { readonly clock: Pick<Clock, 'now'> },
  init: RenderInit,
): CidKeeper {
  const destination = `render ${init.serviceId}`
  return {
    name: destination,
    keep: async ({ name, cid }, signal) => {
      if (!init.wanted(name)) return
      const http = createHttp(destination)
      try {
        const answer = await http.send({
          method: 'PUT',
          url: at(init.api, ['services', init.serviceId, 'env-vars', CID_VARIABLE]),
          headers: {
            authorization: `Bearer ${init.apiKey}`,
            'content-type': 'application/json',
            accept: 'application/json',
          },
          body: Buffer.from(JSON.stringify({ value: cid })),
          signal,
        })
        if (!succeeded(answer))
          throw answerError(answer, { destination, now: components.clock.now() })
      } finally {
        http.close()
      }
    },
  }
}
