/** IPFS: uploads to Pinata, and any service of the Pinning Service API; both with the host that keeps the CID. */
import { CairnError } from '../../../common/errors.ts'
import { CONTENTS_PREFIX } from '../contents/names.ts'
import { type CidKeeper, keepCids, type StoredCid } from '../destinations/cids.ts'
import { serviceUrl } from '../destinations/http.ts'
import type { PinataKey } from '../destinations/pinata.ts'
import { backupError } from '../errors.ts'
import {
  type DestinationComponents,
  type Environment,
  type Plan,
  planOf,
  type Variables,
} from './variables.ts'

const PINATA_API = 'https://api.pinata.cloud'
const PINATA_GATEWAY = 'https://gateway.pinata.cloud'
const PUBLIC_GATEWAY = 'https://ipfs.io'
const RENDER_API = 'https://api.render.com/v1'

/**
 * `PINATA_JWT`, or `PINATA_API_KEY` and `PINATA_SECRET_KEY`. `PINATA_GATEWAY_URL` names a gateway of one's own,
 * `PINATA_API_URL` another address of the API.
 */
export function pinataFrom(environment: Environment): Plan | CairnError | undefined {
  const triggers = ['PINATA_JWT', 'PINATA_API_KEY', 'PINATA_SECRET_KEY']
  return planOf(environment, 'pinata', triggers, (variables) => {
    const { need, may } = variables
    const jwt = may('PINATA_JWT')
    const key: PinataKey =
      jwt === undefined
        ? { key: need('PINATA_API_KEY'), secret: need('PINATA_SECRET_KEY') }
        : { jwt }
    const api = address(variables, 'PINATA_API_URL', PINATA_API, 'pinata')
    const gateway = address(variables, 'PINATA_GATEWAY_URL', PINATA_GATEWAY, 'pinata')
    const host = renderFrom(environment)
    return {
      kind: 'ipfs',
      name: 'pinata',
      open: async (components) => {
        const { createPinataDestination } = await import('../destinations/pinata.ts')
        const onStored = await keeping(components, host)
        return createPinataDestination(components, { name: 'pinata', key, api, gateway, onStored })
      },
    }
  })
}

/** `PINNING_SERVICE_URL`, `PINNING_SERVICE_TOKEN`; `IPFS_GATEWAY_URL` names where content is read. */
export function pinningServiceFrom(environment: Environment): Plan | CairnError | undefined {
  const triggers = ['PINNING_SERVICE_URL', 'PINNING_SERVICE_TOKEN']
  return planOf(environment, 'pinning service', triggers, (variables) => {
    const endpoint = serviceUrl(variables.need('PINNING_SERVICE_URL'), {
      variable: 'PINNING_SERVICE_URL',
      destination: 'pinning service',
      token: true,
    })
    const token = variables.need('PINNING_SERVICE_TOKEN')
    const gateway = address(variables, 'IPFS_GATEWAY_URL', PUBLIC_GATEWAY, 'pinning service')
    const host = renderFrom(environment)
    const name = `pinning ${endpoint.host}`
    return {
      kind: 'ipfs',
      name,
      open: async (components) => {
        const { createPinningServiceDestination } = await import(
          '../destinations/pinning-service.ts'
        )
        const content = await components.content?.()
        if (content === undefined) {
          const why = 'this program cannot provide content on IPFS'
          throw backupError('DESTINATION_SETTING', {
            destination: name,
            variable: 'PINNING_SERVICE_URL',
            why,
          })
        }
        const onStored = await keeping(components, host)
        return createPinningServiceDestination(
          { clock: components.clock, content },
          { name, endpoint, token, gateway, onStored },
        )
      },
    }
  })
}

interface RenderSettings {
  readonly apiKey: string
  readonly serviceId: string
  readonly api: URL
}

/** `RENDER_API_KEY` asks for it; `RENDER_SERVICE_ID` is set by the host itself. */
export function renderFrom(environment: Environment): RenderSettings | CairnError | undefined {
  return planOf(environment, 'render', ['RENDER_API_KEY'], (variables) => {
    const serviceId = variables.need('RENDER_SERVICE_ID')
    if (!/^[\w-]{1,64}$/.test(serviceId)) {
      variables.refuse('RENDER_SERVICE_ID', 'it is no service id')
    }
    const api = address(variables, 'RENDER_API_URL', RENDER_API, 'render')
    return { apiKey: variables.need('RENDER_API_KEY'), serviceId, api }
  })
}

/**
 * Keeps CIDs where the node keeps them, and at the host when its API may be used. Not those of contents of files: they
 * are many, the service has them, and a restore begins elsewhere.
 */
async function keeping(
  { clock, logger, cidKeepers, isRestorePoint }: DestinationComponents,
  host: RenderSettings | CairnError | undefined,
): Promise<(stored: StoredCid, signal: AbortSignal) => Promise<void>> {
  const keepers: CidKeeper[] = [...cidKeepers]
  if (host !== undefined && !(host instanceof CairnError)) {
    const { createRenderKeeper } = await import('../destinations/render.ts')
    keepers.push(createRenderKeeper({ clock }, { ...host, wanted: isRestorePoint }))
  }
  const keep = keepCids({ logger }, keepers)
  return async (stored, signal) => {
    if (!stored.name.startsWith(CONTENTS_PREFIX)) await keep(stored, signal)
  }
}

function address({ may }: Variables, variable: string, usual: string, destination: string): URL {
  return serviceUrl(may(variable) ?? usual, { variable, destination, token: true })
}
