/**
 * What a certificate proves: pure, with no node and no network.
 *
 * owns: signature of the maker, the version and its author, votes, the words of its numbers
 * does not own: that nothing else happened (a revocation or a removal that is not contained), whose clock was right
 */
import { toHex, utf8 } from '../common/bytes.ts'
import { decode } from '../common/dag-cbor.ts'
import { MAX_RECORD_BYTES } from '../common/limits.ts'
import { decryptMetadata } from '../common/metadata-cipher.ts'
import type { BlockHeader, SealedHeader } from './block.ts'
import {
  type Certificate,
  type CertificatePlace,
  decodeCertificate,
  verifyCertificateSignature,
} from './certificate.ts'
import { invalidCertificate } from './certificate-errors.ts'
import type {
  CertificateFacts,
  CertifiedBlock,
  CertifiedDetails,
  CertifiedMember,
  CertifiedVote,
} from './certificate-facts.ts'
import {
  type CertifiedHeaders,
  checkCertificateBodies,
  checkCertificateHeaders,
} from './certificate-headers.ts'
import { type CertifiedMembers, checkCertificateMembers, memberOf } from './certificate-members.ts'
import type { NetworkId } from './ids.ts'
import { decodeParams, type NetworkParams, networkIdOf } from './params.ts'
import type { RecordOf, VersionDetails } from './record.ts'
import { detailsShape } from './record-bodies.ts'
import { readFile } from './state/files.ts'
import { scoreOf } from './state/votes.ts'

type VersionRecord = RecordOf<'file.add'> | RecordOf<'file.update'>

/**
 * @param options.seals - false: the seals of the blocks are known to be right (they come from one's own chain)
 * @throws CERTIFICATE_INVALID, whose detail `check` names what does not hold
 */
export function checkCertificate(
  encoded: Uint8Array,
  options: { readonly seals?: boolean } = {},
): CertificateFacts {
  const certificate = decodeCertificate(encoded)
  if (!verifyCertificateSignature(certificate)) {
    throw invalidCertificate('signature', 'it does not carry the signature of its maker')
  }
  const params = paramsIn(certificate)
  const network = networkIdOf(params)
  const headers = checkCertificateHeaders(certificate, params, options)
  const bodies = checkCertificateBodies(certificate, headers)
  const members = checkCertificateMembers(certificate, bodies, params)
  const maker = memberOf(members, certificate.maker)
  if (maker.user === null) {
    throw invalidCertificate('member', 'the admission of the device that made it is not contained')
  }
  const { record, file } = subjectOf(certificate, members)
  const { height } = certificate.subject
  const at = headers.byHeight.get(height)
  if (at === undefined) throw invalidCertificate('subject', 'the block of the version is missing')
  const above = blocksFrom(headers, height)
  const tip = above.at(-1) ?? at
  return {
    network,
    founded: params.time,
    admission: params.admission,
    file,
    version: record.identity,
    record: record.id,
    change: record.type === 'file.add' ? 'added' : 'updated',
    visibility: record.body.visibility,
    root: record.body.root,
    details: detailsOf(certificate, record, network),
    author: members.member(record.device),
    signed: record.time,
    block: blockOf(at),
    seen: seenBlock(headers, record, at),
    tip: blockOf(tip),
    confirmations: above.length,
    work: workOf(above.map((sealed) => sealed.header)),
    containedWork: workOf([...headers.byHeight.values()].map((sealed) => sealed.header)),
    headers: headers.byHeight.size,
    fromGenesis: headers.fromGenesis,
    gaps: headers.gaps,
    sealers: sealersOf(above, members),
    members: members.admissions,
    votes: votesOf(certificate, members, record),
    stated: statedOf(certificate),
    maker,
    made: certificate.time,
  }
}

function paramsIn({ parameters }: Certificate): NetworkParams {
  try {
    return decodeParams(parameters)
  } catch (error) {
    throw invalidCertificate('encoding', 'the parameters of its network cannot be read', error)
  }
}

/** The record that it is about, and its file, which has to be its author's own. */
function subjectOf(
  { subject }: Certificate,
  { cited, state }: CertifiedMembers,
): { record: VersionRecord; file: string } {
  const record = cited.find(({ place }) => isSame(place, subject))?.record
  if (record?.type === 'file.add') return { record, file: record.identity }
  if (record?.type !== 'file.update') {
    throw invalidCertificate('subject', 'it is about no version of a file')
  }
  const { file } = record.body
  if (readFile(state, file)?.owner !== record.user) {
    throw invalidCertificate('subject', 'it does not show whose file the version belongs to')
  }
  return { record, file }
}

function detailsOf(
  { metadataKey }: Certificate,
  { body }: VersionRecord,
  network: NetworkId,
): CertifiedDetails | null {
  if (body.visibility === 'public') {
    if (metadataKey === undefined) return shown(body)
    throw invalidCertificate('metadata', 'it has a key for what is not encrypted')
  }
  if (metadataKey === undefined) return null
  const bound = utf8(`cairn/metadata/1 ${network} ${body.root}`)
  const plain = decryptMetadata(metadataKey, body.metadata, bound)
  if (plain === undefined) {
    throw invalidCertificate('metadata', 'its key does not open the name and hash of the file')
  }
  try {
    return shown(detailsShape.read(decode(plain, MAX_RECORD_BYTES), 'details'))
  } catch (error) {
    throw invalidCertificate('metadata', 'the name and hash of the file cannot be read', error)
  }
}

function shown({ name, folder, mediaType, size, sha256 }: VersionDetails): CertifiedDetails {
  return { name, folder, mediaType, size, sha256: toHex(sha256) }
}

/** The contained blocks from `height` up to the first gap. */
function blocksFrom(headers: CertifiedHeaders, height: number): SealedHeader[] {
  const found: SealedHeader[] = []
  for (let next = height; ; next += 1) {
    const sealed = headers.byHeight.get(next)
    if (sealed === undefined) return found
    found.push(sealed)
  }
}

function seenBlock(
  headers: CertifiedHeaders,
  { seen }: VersionRecord,
  at: SealedHeader,
): CertifiedBlock | null {
  const found = headers.byId.get(seen)
  // A record names a block of the past: a later one could not be in its bytes.
  return found === undefined || found.header.height >= at.header.height ? null : blockOf(found)
}

function sealersOf(
  blocks: readonly SealedHeader[],
  members: CertifiedMembers,
): (CertifiedMember & { blocks: number })[] {
  const counts = new Map<string, CertifiedMember & { blocks: number }>()
  for (const { header } of blocks) {
    const member = memberOf(members, header.miner)
    const known = counts.get(member.device)
    counts.set(member.device, { ...member, blocks: (known?.blocks ?? 0) + 1 })
  }
  return [...counts.values()].sort((a, b) => b.blocks - a.blocks || (a.device < b.device ? -1 : 1))
}

function votesOf(
  { stated }: Certificate,
  { cited, member }: CertifiedMembers,
  version: VersionRecord,
): CertifiedVote[] {
  const voters = new Set<string>()
  return cited.flatMap(({ record, place }): CertifiedVote[] => {
    if (record.type !== 'vote') return []
    if (record.body.version !== version.identity || record.user === version.user) {
      throw invalidCertificate('record', 'a vote in it is about something else')
    }
    const voter = record.user ?? ''
    if (voters.has(voter)) throw invalidCertificate('record', 'somebody votes twice in it')
    voters.add(voter)
    const weight = stated.weights.find(({ vote }) => isSame(vote, place))?.weight ?? null
    const { verdict, comment } = record.body
    const { time, id } = record
    return [
      {
        ...member(record.device),
        record: id,
        verdict,
        comment,
        time,
        height: place.height,
        weight,
      },
    ]
  })
}

function statedOf({ stated }: Certificate): CertificateFacts['stated'] {
  const { height, authorActive, authenticVotes, suspiciousVotes } = stated
  const score = scoreOf(stated)
  return {
    height,
    authorActive,
    score: score === undefined ? null : Math.round(score * 10) / 10,
    authenticVotes,
    suspiciousVotes,
  }
}

function workOf(headers: readonly BlockHeader[]): string {
  return headers.reduce((sum, { difficulty }) => sum + BigInt(difficulty), 0n).toString()
}

function blockOf({ id, header }: SealedHeader): CertifiedBlock {
  return { height: header.height, block: id, time: header.time }
}

function isSame(a: CertificatePlace, b: CertificatePlace): boolean {
  return a.height === b.height && a.index === b.index
}
