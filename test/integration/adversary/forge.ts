/** Records and blocks that are nearly right. */

import type { BlockHeader } from '../../../src/chain/block.ts'
import {
  decodeHeader,
  encodeBody,
  encodeHeader,
  sealMessage,
  signRecord,
} from '../../../src/chain/codec.ts'
import type { ContentId } from '../../../src/chain/ids.ts'
import { meetsDifficulty } from '../../../src/chain/pow.ts'
import type { SignedRecord, Statement, UnsignedRecord } from '../../../src/chain/record.ts'
import { sha256, signEd25519 } from '../../../src/common/crypto.ts'
import { cidText, RAW } from '../../../src/common/dag-cbor.ts'
import { type ChainNode, seedOf } from '../../helpers/chain-node.ts'

export interface ForgedBlock {
  readonly id: string
  readonly header: Uint8Array
  readonly body: Uint8Array
}

export function fileStatement(name: string): Statement {
  const hash = seedOf(name)
  const root = cidText(RAW, hash) as ContentId
  const body = { root, storedSize: 5, visibility: 'public', folder: [], size: 5 } as const
  return { type: 'file.add', body: { ...body, name, mediaType: 'text/plain', sha256: hash } }
}

export interface Forgery {
  readonly header?: Partial<BlockHeader>
  readonly records?: readonly SignedRecord[]
  /** Whose key seals; default: the member's own. */
  readonly sealer?: string
  /** The seal of other bytes. */
  readonly badSeal?: boolean
  /** No search for a nonce. */
  readonly noWork?: boolean
}

/** The member's next block, with something wrong in it. The member needs a pending record. */
export function forgeBlock(member: ChainNode, name: string, forgery: Forgery = {}): ForgedBlock {
  const template = member.chain.template()
  if (template === undefined) throw new Error('nothing to mine')
  const body = forgery.records === undefined ? template.body : encodeBody(forgery.records)
  const header: BlockHeader = {
    ...decodeHeader(template.header).header,
    records: body.id,
    ...forgery.header,
  }
  const message = forgery.badSeal === true ? new Uint8Array(3) : sealMessage(header)
  const seal = signEd25519(seedOf(forgery.sealer ?? name), message)
  const encoded = encodeHeader({ ...header, seal }).bytes
  const view = new DataView(encoded.buffer, encoded.byteOffset)
  for (let nonce = 0n; forgery.noWork !== true; nonce += 1n) {
    view.setBigUint64(encoded.length - 8, nonce)
    if (meetsDifficulty(sha256(encoded), header.difficulty)) break
  }
  return { id: decodeHeader(encoded).id, header: encoded, body: body.bytes }
}

/** A record of `name` with fields of one's choice. */
export function forgeRecord(
  member: ChainNode,
  name: string,
  fields: Partial<UnsignedRecord>,
  signer = name,
): SignedRecord {
  const own = member.store.ownNewest(member.device)?.record
  const unsigned = {
    network: member.chain.network,
    ...fileStatement(`forged by ${name}`),
    user: member.chain.user,
    device: member.device,
    sequence: (own?.sequence ?? 0) + 1,
    previous: own?.id ?? null,
    seen: member.store.tip().id,
    time: Date.now(),
    ...fields,
  } as UnsignedRecord
  return signRecord(unsigned, (message) => signEd25519(seedOf(signer), message))
}
