import type { CID } from 'multiformats/cid'

/**
 * A link as it is read: its text, which is what the rest of the program works with. A `CID` object for each link
 * would cost more than everything else about it.
 */
export class CborLink {
  /** The CID as text. */
  readonly text: string
  /** Multicodec of what it leads to. */
  readonly codec: number
  /** Whether it is a CIDv1 with a SHA-256 digest. */
  readonly plain: boolean

  constructor(text: string, codec: number, plain: boolean) {
    this.text = text
    this.codec = codec
    this.plain = plain
  }

  toString(): string {
    return this.text
  }
}

/** A value of the IPLD data model without floats. Links are read as `CborLink` and may be written as either. */
export type CborValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | CborLink
  | CID
  | readonly CborValue[]
  | { readonly [key: string]: CborValue | undefined }
