/** The codes of everything that can go wrong with peers. */
import { type CairnError, type ErrorDetails, errorFamily } from '../common/errors.ts'

export const NETWORK_ERRORS = {
  /** The address to listen on belongs to another program, or to another node. */
  P2P_PORT_IN_USE: {
    says: 'The address {address} is in use by another program. Stop that program, or choose another port.',
  },
  /** The system refuses the address to listen on. */
  P2P_LISTEN: {
    says: 'The node cannot listen on {address}: {why}. Choose another address to listen on.',
  },
  /** Text that is no multiaddr, or one that this node cannot dial. */
  PEER_ADDRESS: {
    says: '"{address}" is no address of a peer: {why}. An address looks like /ip4/192.0.2.7/tcp/4005/p2p/12D3KooW…',
  },
  /** The address leads to this very node. */
  PEER_SELF: { says: 'The address {address} is this node itself.' },
  /** Nobody answers at the address, or the peer refuses. */
  PEER_UNREACHABLE: {
    says: 'The peer at {address} cannot be reached: {why}. The node goes on trying.',
  },
  /** More known peers than the node keeps. */
  PEERS_FULL: { says: 'The node knows {limit} peers already and keeps no more.' },
  /** The peers file is not what it should be. */
  PEERS_FILE: {
    says: 'The peers file {path} cannot be used: {key} is {found}, allowed is {allowed}.',
  },
  /** The peers file is not there or cannot be read. */
  PEERS_FILE_READ: { says: 'The peers file {path} cannot be read: {why}.' },
  /** A message is too long to be sent by gossip; it would silence the connection. */
  GOSSIP_TOO_LARGE: { says: 'A message of {size:byte} is too large to pass on: at most {limit}.' },
  /** The part is not started, or was stopped. */
  NETWORK_STOPPED: { says: 'The network part of the node is not running.' },

  /** A member cannot be reached with this key, or ended the exchange. */
  PAIR_STREAM: { says: 'The member at {address} does not answer: {why}.' },
  /** A member answers what does not fit what was asked. */
  PAIR_ANSWER: { says: 'The member {peer} answers what cannot be right: {why}.' },
  /** A member does not take this device in; `why` is one of the refusals of pairing. */
  PAIR_REFUSED: { says: 'The member {peer} does not take this device in: {why}.' },

  /** The other side closed, reset or refused the stream. */
  SYNC_STREAM: { says: 'The peer {peer} ended the exchange early.', verdict: 'ignore' },
  /** No byte came for too long. */
  SYNC_TIMEOUT: { says: 'The peer {peer} did not answer within {ms} ms.', verdict: 'ignore' },
  /** The peer refuses to answer now. */
  SYNC_REFUSED: { says: 'The peer {peer} refuses to answer: {why}.', verdict: 'ignore' },
  /** The answer is not in the form that was agreed, or larger than was asked for. */
  SYNC_MALFORMED: {
    says: 'The peer {peer} sent an answer that makes no sense.',
    verdict: 'reject',
  },
  /** The peer is of another network. */
  SYNC_OTHER_NETWORK: { says: 'The peer {peer} belongs to another network.', verdict: 'ignore' },
  /** Headers that do not follow on what was asked for. */
  SYNC_NOT_LINKED: {
    says: 'The peer {peer} sent headers that do not follow on a known block.',
    verdict: 'reject',
  },
  /** The peer's headers show less work than its status claimed. */
  SYNC_WORK_CLAIM: {
    says: 'The peer {peer} claims more work than its headers show.',
    verdict: 'reject',
  },
  /** Page after page without more work. */
  SYNC_LOOP: {
    says: 'The peer {peer} sends the same headers again and again.',
    verdict: 'reject',
  },
  /** More headers than one run takes. */
  SYNC_TOO_MANY_HEADERS: {
    says: 'The peer {peer} has more than {limit} headers that bring no better chain.',
    verdict: 'ignore',
  },
  /** The peer announces a block and does not give its body. */
  SYNC_BODY_WITHHELD: {
    says: 'The peer {peer} announced the block {block} and does not give its body.',
    verdict: 'ignore',
  },
  /** The peer names records as its newest and does not give them. */
  SYNC_RECORDS_WITHHELD: {
    says: 'The peer {peer} names {count:record} and does not give them.',
    verdict: 'ignore',
  },

  /** The other side closed, reset or refused the stream, or is not connected. */
  KEY_STREAM: { says: 'The peer {peer} ended the exchange about a key early.', verdict: 'ignore' },
  /** No answer came for too long. */
  KEY_TIMEOUT: {
    says: 'The peer {peer} did not answer within {seconds:second} when it was asked for a key.',
    verdict: 'ignore',
  },
  /** The answer is not in the form that was agreed. */
  KEY_MALFORMED: {
    says: 'The peer {peer} sent an answer about a key that makes no sense.',
    verdict: 'reject',
  },
} as const

export type NetworkErrorCode = keyof typeof NETWORK_ERRORS

export const networkError: (
  code: NetworkErrorCode,
  details?: ErrorDetails,
  cause?: unknown,
) => CairnError<NetworkErrorCode> = errorFamily(NETWORK_ERRORS)
