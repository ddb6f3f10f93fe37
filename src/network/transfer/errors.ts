/** The codes of the transfer protocol. `reject` counts against the source that sent it. */
import { errorFamily } from '../../common/errors.ts'

export const TRANSFER_ERRORS = {
  /** No connected device that speaks the protocol has what is wanted. */
  NO_SOURCE: {
    says: 'No connected device has {cid} now. It is fetched when one that has it can be reached.',
    verdict: 'ignore',
  },
  /** A source answered that it does not have the block. */
  BLOCK_NOT_HELD: { says: 'The device {peer} does not have {cid}.', verdict: 'ignore' },
  /** The stream or the connection to a source ended with questions open. */
  SOURCE_GONE: {
    says: 'The connection to the device {peer} ended during a transfer.',
    verdict: 'ignore',
  },
  /** A source sent too little in the time that it had. */
  SOURCE_STALLED: {
    says: 'The device {peer} sent nothing for {seconds:second}; another one is asked.',
    verdict: 'ignore',
  },
  /** The bytes of a block do not have the hash that was asked for. */
  BLOCK_MISMATCH: {
    says: 'The device {peer} sent other bytes than those of {cid}.',
    verdict: 'reject',
  },
  /** A block or a message above the limits. */
  FRAME_TOO_LARGE: {
    says: 'The device {peer} sent {bytes:byte} where at most {most} are allowed.',
    verdict: 'reject',
  },
  /** Bytes that are no frame, a kind that this side does not take, an answer to no question. */
  FRAME_INVALID: {
    says: 'The device {peer} broke the transfer protocol: {why}.',
    verdict: 'reject',
  },
  /** The other side asked more at a time than the protocol allows. */
  TOO_MANY_WANTS: {
    says: 'The device {peer} asked for more than {most:block} at a time.',
    verdict: 'reject',
  },
  /** The other side does not read what it asked for. */
  READER_STALLED: {
    says: 'The device {peer} read nothing for {seconds:second} of what it asked for.',
    verdict: 'ignore',
  },
  /** A hash or a codec that the protocol does not carry. */
  CID_UNSUPPORTED: { says: '{cid} cannot be fetched: it is no SHA-256 hash of file content.' },
  /** A tree of blocks that is deeper or larger than it may be. */
  DAG_TOO_LARGE: {
    says: 'The content {cid} is larger than announced ({most:byte}) and is not fetched further.',
  },
  /** A block of the tree that is not what its codec says. */
  DAG_INVALID: { says: 'The content {cid} is damaged at its origin: {why}.' },
  TRANSFER_STOPPED: { says: 'The node is stopping.', verdict: 'ignore' },
} as const

export type TransferErrorCode = keyof typeof TRANSFER_ERRORS

export const transferError: ReturnType<typeof errorFamily<typeof TRANSFER_ERRORS>> =
  errorFamily(TRANSFER_ERRORS)
