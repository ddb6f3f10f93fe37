/**
 * What came from a peer, checked in the order of cost: bounded decode, proof of work, seal, then signatures.
 *
 * owns: decode and verification of foreign records and blocks
 * does not own: rules that need the state (importer), what is kept aside (waiting-room)
 */
import type { Block, BlockBody, BlockHeader, SealedHeader } from '../../chain/block.ts'
import { decodeBody, decodeRecord, recordMessage, sealMessage } from '../../chain/codec.ts'
import { chainError } from '../../chain/errors.ts'
import { deviceKeyOf, type NetworkId } from '../../chain/ids.ts'
import type { NetworkParams } from '../../chain/params.ts'
import type { SignedRecord } from '../../chain/record.ts'
import { checkHeader } from '../../chain/validate.ts'
import type { ChainStore } from '../../storage/chain-store.ts'

/** One signature to check. */
export interface SignatureItem {
  readonly publicKey: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

/** Checks many Ed25519 signatures, off the main thread when that pays; urgent ones before those that wait. */
export interface Verifier {
  verify(
    items: readonly SignatureItem[],
    options?: { readonly urgent?: boolean },
  ): Promise<boolean[]>
}

export interface Intake {
  /**
   * Records of this network with a good signature, those that are stored already left out.
   *
   * @throws `ENCODING`, `RECORD_*`; one bad record refuses the whole list, its sender could have known
   */
  records(encoded: readonly Uint8Array[]): Promise<SignedRecord[]>
  /**
   * Blocks whose headers were checked, with decoded bodies that belong to them and verified signatures.
   *
   * @throws `ENCODING`, `BLOCK_BODY`, `RECORD_*`
   */
  blocks(blocks: readonly { header: SealedHeader; body: Uint8Array }[]): Promise<Block[]>
  /** Seals of headers. @throws `BLOCK_SEAL` */
  seals(headers: readonly SealedHeader[]): Promise<void>
  /** Contextual rules of a header, without its seal. @throws chain errors */
  header(header: SealedHeader, ancestors: readonly BlockHeader[], now: number): void
}

export function createIntake(
  components: { readonly store: Pick<ChainStore, 'knows'>; readonly verifier: Verifier },
  init: { readonly params: NetworkParams; readonly network: NetworkId },
): Intake {
  const { store, verifier } = components

  const verified = async (records: readonly SignedRecord[]): Promise<void> => {
    const items = records
      .filter((record) => !store.knows(record))
      .map((record) => ({
        publicKey: deviceKeyOf(record.device) ?? new Uint8Array(),
        message: recordMessage(record),
        signature: record.signature,
      }))
    if (items.length === 0) return
    const good = await verifier.verify(items)
    if (good.includes(false) || good.length !== items.length) throw chainError('RECORD_SIGNATURE')
  }

  const ofThisNetwork = (record: SignedRecord): SignedRecord => {
    if (record.network !== init.network) throw chainError('RECORD_NETWORK')
    return record
  }

  return {
    records: async (encoded) => {
      const records = encoded
        .map((bytes) => ofThisNetwork(decodeRecord(bytes)))
        .filter((record) => !store.knows(record))
      await verified(records)
      return records
    },
    blocks: async (blocks) => {
      const decoded: Block[] = []
      for (const { header, body } of blocks) {
        const parsed: BlockBody = decodeBody(body)
        if (parsed.id !== header.header.records)
          throw chainError('BLOCK_BODY', { block: header.id })
        for (const record of parsed.records) ofThisNetwork(record)
        decoded.push({ ...header, body: parsed })
      }
      await verified(decoded.flatMap(({ body }) => body.records))
      return decoded
    },
    seals: async (headers) => {
      const items = headers.map(({ header }) => ({
        publicKey: header.miner,
        message: sealMessage(header),
        signature: header.seal,
      }))
      // Bodies are asked for when their headers are checked: they must not wait behind those that are here.
      const good = items.length === 0 ? [] : await verifier.verify(items, { urgent: true })
      const wrong = headers.find((_, index) => good[index] !== true)
      if (wrong !== undefined) throw chainError('BLOCK_SEAL', { block: wrong.id })
    },
    header: (header, ancestors, now) =>
      checkHeader(header, { params: init.params, network: init.network, ancestors, now }),
  }
}
