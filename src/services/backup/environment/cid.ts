/** A backup on IPFS by its CID alone, which any gateway gives. */
import { CairnError } from '../../../common/errors.ts'
import { serviceUrl } from '../destinations/http.ts'
import { CID_VARIABLE } from '../destinations/render.ts'
import { parseBackupCid } from '../ipfs-place.ts'
import { type Environment, type Plan, planOf, type Variables } from './variables.ts'

/** Where content is read that no variable names a gateway for. */
const PUBLIC_GATEWAYS = ['https://gateway.pinata.cloud', 'https://ipfs.io']
const GATEWAY_VARIABLES = ['PINATA_GATEWAY_URL', 'IPFS_GATEWAY_URL']
/** Characters of a CID by which people tell one from another. */
const SHOWN = 12

/** `CAIRN_BACKUP_CID`: what a host keeps for the next start. */
export function cidFrom(environment: Environment): Plan | CairnError | undefined {
  return planOf(environment, 'CID', [CID_VARIABLE], (variables) => {
    const given = variables.need(CID_VARIABLE)
    try {
      return planFor(parseBackupCid(given), variables)
    } catch (error) {
      if (error instanceof CairnError && error.code === 'BACKUP_CID') {
        return variables.refuse(CID_VARIABLE, 'it is no CID of a backup (bafkrei…, 59 letters)')
      }
      throw error
    }
  })
}

/**
 * The place of one backup that can be read and not written: `PINATA_GATEWAY_URL` and `IPFS_GATEWAY_URL` where they are
 * set, else gateways that everybody may use.
 *
 * @throws BACKUP_CID, DESTINATION_SETTING
 */
export function cidPlan(environment: Environment, cid: string): Plan {
  const parsed = parseBackupCid(cid)
  const all = { ...environment, [CID_VARIABLE]: parsed }
  const plan = planOf(all, 'CID', [CID_VARIABLE], (variables) => planFor(parsed, variables))
  if (plan instanceof CairnError) throw plan
  return plan as Plan
}

function planFor(cid: string, { may }: Variables): Plan {
  const named = GATEWAY_VARIABLES.flatMap((variable) => {
    const text = may(variable)
    return text === undefined
      ? []
      : [serviceUrl(text, { variable, destination: 'CID', token: true })]
  })
  const gateways = named.length > 0 ? named : PUBLIC_GATEWAYS.map((each) => new URL(each))
  const name = `IPFS ${cid.slice(0, SHOWN)}… by ${gateways.map(({ host }) => host).join(', ')}`
  return {
    kind: 'ipfs',
    name,
    open: async ({ clock }) => {
      const { createGatewayDestination } = await import('../destinations/gateway.ts')
      return createGatewayDestination({ clock }, { name, cid, gateways })
    },
  }
}
