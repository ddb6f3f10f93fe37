/** The blocks of a certificate: headers that follow each other, their work and seals, and the bodies they name. */
import { messageOf } from '../common/errors.ts'
import type { BlockHeader, SealedHeader } from './block.ts'
import type { Certificate } from './certificate.ts'
import { MAX_CERTIFICATE_BODY_BYTES, MAX_CERTIFICATE_HEADERS } from './certificate.ts'
import { invalidCertificate } from './certificate-errors.ts'
import { BLOCK_VERSION, decodeBody, decodeHeader, genesisOf, verifySeal } from './codec.ts'
import { type NetworkParams, networkIdOf } from './params.ts'
import { checkWork } from './pow.ts'
import type { SignedRecord } from './record.ts'
import { checkHeader, earliestTime, HEADER_ANCESTORS, MEDIAN_BLOCKS } from './validate.ts'

export interface CertifiedHeaders {
  readonly byHeight: ReadonlyMap<number, SealedHeader>
  readonly byId: ReadonlyMap<string, SealedHeader>
  readonly fromGenesis: boolean
  readonly gaps: number
}

/**
 * Each header has its work and its seal, and follows the one before it in its run. Where a run holds all the
 * ancestors that the rules look at, difficulty and time are checked as a node does, and else as far as they reach.
 *
 * @throws CERTIFICATE_INVALID (header, seal)
 */
export function checkCertificateHeaders(
  { runs }: Pick<Certificate, 'runs'>,
  params: NetworkParams,
  { seals = true }: { readonly seals?: boolean } = {},
): CertifiedHeaders {
  const network = networkIdOf(params)
  const genesis = genesisOf(params)
  const byHeight = new Map<number, SealedHeader>()
  const byId = new Map<string, SealedHeader>([[genesis.id, genesis]])
  let last = -1
  for (const run of runs) {
    // Runs that touch would hide that the one does not follow the other.
    if (run.height <= last + 1 && last !== -1) throw fault('its headers are not in order')
    if (run.height === 0) throw fault('it contains a block at height 0')
    const anchored = run.height === 1
    let ancestors: BlockHeader[] = anchored ? [genesis.header] : []
    let parent: string | undefined = anchored ? genesis.id : undefined
    let height = run.height
    for (const bytes of run.headers) {
      if (byHeight.size >= MAX_CERTIFICATE_HEADERS) throw fault('it has too many headers')
      const sealed = headerIn(bytes, height)
      const { header } = sealed
      if (header.height !== height) throw fault(`block ${height} has another height`)
      if (parent !== undefined && header.parent !== parent) {
        throw fault(`block ${height} does not follow the block before it`)
      }
      const whole = ancestors.length >= HEADER_ANCESTORS || (anchored && ancestors.length > 0)
      try {
        if (whole) checkHeader(sealed, { params, network, ancestors, now: header.time })
        else checkAlone(sealed, params, ancestors)
      } catch (error) {
        throw fault(`block ${height} breaks the rules (${messageOf(error)})`, error)
      }
      if (seals && !verifySeal(header)) {
        throw invalidCertificate('seal', `block ${height} does not carry its miner's seal`)
      }
      byHeight.set(height, sealed)
      byId.set(sealed.id, sealed)
      ancestors = [header, ...ancestors.slice(0, HEADER_ANCESTORS - 1)]
      parent = sealed.id
      height += 1
    }
    last = height - 1
  }
  return { byHeight, byId, fromGenesis: runs[0]?.height === 1, gaps: runs.length - 1 }
}

/** What of the rules a header shows without all of the ancestors that they look at. */
function checkAlone(
  sealed: SealedHeader,
  params: NetworkParams,
  ancestors: readonly BlockHeader[],
): void {
  const { header } = sealed
  if (header.version !== BLOCK_VERSION) throw fault('its version is not known')
  if (header.network !== networkIdOf(params)) throw fault('it belongs to another network')
  if (header.parent === null) throw fault('it has no parent')
  if (header.difficulty < params.difficultyFloor) throw fault('its difficulty is below the floor')
  checkWork(sealed)
  if (ancestors.length >= MEDIAN_BLOCKS && header.time < earliestTime(ancestors)) {
    throw fault('its time is not above that of the blocks before it')
  }
}

/** The records of the contained bodies, by height. @throws CERTIFICATE_INVALID (body) */
export function checkCertificateBodies(
  { bodies }: Pick<Certificate, 'bodies'>,
  headers: CertifiedHeaders,
): Map<number, readonly SignedRecord[]> {
  const found = new Map<number, readonly SignedRecord[]>()
  let size = 0
  let last = -1
  for (const { height, bytes } of bodies) {
    const header = headers.byHeight.get(height)?.header
    size += bytes.length
    if (height <= last || header === undefined || size > MAX_CERTIFICATE_BODY_BYTES) {
      throw invalidCertificate('body', `the records of block ${height} do not belong here`)
    }
    last = height
    let body: ReturnType<typeof decodeBody>
    try {
      body = decodeBody(bytes)
    } catch (error) {
      throw invalidCertificate(
        'body',
        `the records of block ${height} cannot be read (${messageOf(error)})`,
        error,
      )
    }
    if (body.id !== header.records) {
      throw invalidCertificate('body', `the records of block ${height} are not those of its header`)
    }
    found.set(height, body.records)
  }
  return found
}

function headerIn(bytes: Uint8Array, height: number): SealedHeader {
  try {
    return decodeHeader(bytes)
  } catch (error) {
    throw fault(`block ${height} cannot be read (${messageOf(error)})`, error)
  }
}

function fault(why: string, cause?: unknown): ReturnType<typeof invalidCertificate> {
  return invalidCertificate('header', why, cause)
}
