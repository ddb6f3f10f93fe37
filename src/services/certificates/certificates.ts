/**
 * Makes certificates: what stands on this device's best chain about one version, as one document.
 *
 * owns: which records, bodies and headers go in, within the limits
 * does not own: the format and what it proves (chain/certificate*.ts), the page (page.ts), who may ask (interfaces)
 */
import type { SealedHeader } from '../../chain/block.ts'
import {
  MAX_CERTIFICATE_BODIES,
  MAX_CERTIFICATE_BODY_BYTES,
  MAX_CERTIFICATE_HEADERS,
  MAX_CITED,
  signCertificate,
} from '../../chain/certificate.ts'
import { checkCertificate } from '../../chain/certificate-check.ts'
import { deviceIdOf, deviceKeyOf, type RecordId, type VersionId } from '../../chain/ids.ts'
import { encodeParams, type NetworkParams } from '../../chain/params.ts'
import { readDevice } from '../../chain/state/devices.ts'
import { readTally, readVote, votersOf } from '../../chain/state/votes.ts'
import { HEADER_ANCESTORS } from '../../chain/validate.ts'
import type { Clock } from '../../common/clock.ts'
import { assert } from '../../common/errors.ts'
import type { ChainStore, StoredBlock } from '../../storage/chain-store.ts'
import type { VersionRecord } from '../../storage/projections.ts'
import type { Signer } from '../chain/own-records.ts'
import { type Citations, createCitations, type PlacedRecord } from './cite.ts'
import { certificateMakeError } from './errors.ts'
import { certificatePage } from './page.ts'
import { type Run, runsOf } from './runs.ts'

/** Votes and miners whose records go in when there is room; beyond them they are stated only. */
const MAX_VOTES = 64
const MAX_MINERS = 16

export interface CertificatesService {
  /**
   * The certificate of a version: one HTML page that holds its proof (page.ts).
   *
   * @throws RECORD_NOT_FOUND, CERTIFICATE_PENDING, CERTIFICATE_REFUSED, CERTIFICATE_TOO_LARGE, NOT_ADMITTED
   */
  of(version: VersionId, signal: AbortSignal): Promise<Uint8Array>
}

export interface CertificatesComponents {
  readonly store: Pick<
    ChainStore,
    'body' | 'block' | 'headerBytes' | 'idAt' | 'record' | 'recordsAt' | 'state' | 'tip'
  >
  readonly signer: Signer
  readonly clock: Pick<Clock, 'now'>
  /** Opens the name and hash of a private version; undefined: this device cannot. */
  metadataKeyOf(version: VersionRecord): Promise<Uint8Array | undefined>
}

export function createCertificates(
  components: CertificatesComponents,
  params: NetworkParams,
): CertificatesService {
  const { store, signer, clock } = components
  const citations = createCitations(store)

  const make = (version: VersionId, metadataKey: Uint8Array | undefined): Uint8Array => {
    const subject = subjectOf(citations, version)
    const maker = citations.admission(signer.device)
    const key = deviceKeyOf(signer.device)
    if (maker === undefined || key === undefined) throw certificateMakeError('CERTIFICATE_NO_MAKER')
    const tip = store.tip()
    const gathered = gather(store)
    for (const needed of [subject, maker]) {
      const records = citations.closure(needed)
      if (records === undefined || !gathered.take(records)) {
        throw certificateMakeError('CERTIFICATE_TOO_LARGE')
      }
    }
    const votes = citeVotes(citations, store, version, gathered)
    for (const miner of minersAbove(store, subject.place.height, tip)) {
      const admission = citations.admission(deviceIdOf(miner))
      const records = admission === undefined ? undefined : citations.closure(admission)
      if (records !== undefined) gathered.take(records)
    }
    const runs = runsOf({
      subject: subject.place.height,
      seen: heightOf(store, subject),
      others: [...gathered.bodies.keys()],
      tip: tip.height,
      ancestors: HEADER_ANCESTORS,
      limit: MAX_CERTIFICATE_HEADERS,
    })
    const tally = readTally(store.state, version)
    return signCertificate(
      {
        version: 1,
        parameters: encodeParams(params),
        runs: runs.map((run) => ({ height: run.from, headers: headersIn(store, run) })),
        bodies: [...gathered.bodies]
          .sort(([a], [b]) => a - b)
          .map(([height, bytes]) => ({ height, bytes })),
        cited: gathered.places(),
        subject: { height: subject.place.height, index: subject.place.index },
        ...(metadataKey === undefined ? {} : { metadataKey }),
        stated: {
          height: tip.height,
          authorActive: readDevice(store.state, subject.record.device)?.active ?? false,
          ...tally,
          weights: votes,
        },
        maker: key,
        time: clock.now(),
      },
      signer.sign,
    )
  }

  return {
    of: async (version, signal) => {
      const { record } = subjectOf(citations, version)
      const sealed = record.body.visibility === 'private'
      const key = sealed ? await components.metadataKeyOf(record) : undefined
      signal.throwIfAborted()
      // From here nothing waits: the chain cannot change while it is read.
      const encoded = make(version, key)
      return certificatePage(checkCertificate(encoded, { seals: false }), encoded)
    },
  }
}

type PlacedVersion = PlacedRecord & { readonly record: VersionRecord }

function subjectOf(citations: Citations, version: VersionId): PlacedVersion {
  const found = citations.standing(version)
  if (found === undefined) throw certificateMakeError('CERTIFICATE_PENDING')
  const { record, outcome, code = '' } = found
  if (outcome !== 'applied' || (record.type !== 'file.add' && record.type !== 'file.update')) {
    throw certificateMakeError('CERTIFICATE_REFUSED', { outcome, code })
  }
  return { ...found, record }
}

interface Gathered {
  readonly bodies: ReadonlyMap<number, Uint8Array>
  /** All of them, or none: false when they do not fit in. */
  take(records: readonly PlacedRecord[]): boolean
  places(): { height: number; index: number }[]
}

function gather(store: Pick<ChainStore, 'body'>): Gathered {
  const bodies = new Map<number, Uint8Array>()
  const cited = new Map<RecordId, { height: number; index: number }>()
  let size = 0
  return {
    bodies,
    take: (records) => {
      const added = new Map<number, Uint8Array>()
      let more = 0
      for (const { place } of records) {
        if (bodies.has(place.height) || added.has(place.height)) continue
        const body = store.body(place.block)
        if (body === undefined) return false
        added.set(place.height, body)
        more += body.length
      }
      const unknown = records.filter(({ record }) => !cited.has(record.id))
      if (
        size + more > MAX_CERTIFICATE_BODY_BYTES ||
        bodies.size + added.size > MAX_CERTIFICATE_BODIES ||
        cited.size + unknown.length > MAX_CITED
      ) {
        return false
      }
      size += more
      for (const [height, body] of added) bodies.set(height, body)
      for (const { record, place } of unknown) {
        cited.set(record.id, { height: place.height, index: place.index })
      }
      return true
    },
    places: () => [...cited.values()].sort((a, b) => a.height - b.height || a.index - b.index),
  }
}

/** Takes in the votes that count; their weights as the state has them. */
function citeVotes(
  citations: Citations,
  { state }: Pick<ChainStore, 'state'>,
  version: VersionId,
  gathered: Gathered,
): { vote: { height: number; index: number }; weight: number }[] {
  return votersOf(state, version)
    .slice(0, MAX_VOTES)
    .flatMap((user) => {
      const vote = readVote(state, version, user)
      const standing = vote === undefined ? undefined : citations.standing(vote.record)
      const records = standing === undefined ? undefined : citations.closure(standing)
      if (vote === undefined || standing === undefined || records === undefined) return []
      if (!gathered.take(records)) return []
      const { height, index } = standing.place
      return [{ vote: { height, index }, weight: vote.weight }]
    })
}

/** Keys of the devices that sealed the newest blocks from `height` up. */
function minersAbove(
  store: Pick<ChainStore, 'block' | 'idAt'>,
  height: number,
  tip: StoredBlock,
): Uint8Array[] {
  const found = new Map<string, Uint8Array>()
  const lowest = Math.max(height, tip.height - MAX_CERTIFICATE_HEADERS)
  for (let at = tip.height; at >= lowest && found.size < MAX_MINERS; at -= 1) {
    const id = store.idAt(at)
    const miner = id === undefined ? undefined : store.block(id)?.header.miner
    if (miner !== undefined) found.set(deviceIdOf(miner), miner)
  }
  return [...found.values()]
}

/** The height of the block that the author knew, if it is on the best chain. */
function heightOf(
  store: Pick<ChainStore, 'block' | 'idAt'>,
  { record }: PlacedRecord,
): number | undefined {
  const seen = store.block(record.seen)
  return seen !== undefined && store.idAt(seen.height) === seen.id ? seen.height : undefined
}

function headersIn(
  store: Pick<ChainStore, 'headerBytes' | 'idAt'>,
  { from, to }: Run,
): SealedHeader['bytes'][] {
  return Array.from({ length: to - from + 1 }, (_, index) => {
    const id = store.idAt(from + index)
    const bytes = id === undefined ? undefined : store.headerBytes(id)
    assert(bytes !== undefined, 'the best chain has a header at each height')
    return bytes
  })
}
