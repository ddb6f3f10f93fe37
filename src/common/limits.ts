/** Sizes that more than one layer has to agree on. Each with its unit and its reason. */

export const KIB = 1024
export const MIB: number = 1024 * KIB

/** Bytes of one encoded record. A comment of 1,000 characters, names and keys fit several times. */
export const MAX_RECORD_BYTES: number = 16 * KIB
/** Bytes of one encoded block body: what a slow link (1 Mbit/s) carries in one target interval times four. */
export const MAX_BODY_BYTES: number = MIB
/** Bytes of one encoded header: ten fields of fixed size stay below a third of this. */
export const MAX_HEADER_BYTES: number = KIB
/** Bytes of one gossip message. A larger one silences a gossipsub direction for good, so it is never sent. */
export const MAX_GOSSIP_BYTES: number = 64 * KIB
/** Bytes of one content block (an IPLD block of a file): the leaf size of the import profile plus its wrapping. */
export const MAX_CONTENT_BLOCK_BYTES: number = 2 * MIB
