/**
 * The codes of the rules: why a record or a block is refused. What a valid record does or does not do is no
 * error; its codes stand in reasons.ts.
 */
import { errorFamily } from '../common/errors.ts'

export const CHAIN_ERRORS = {
  RECORD_SIZE: {
    says: 'A record has {bytes:byte}; at most {limit} are allowed. Shorten its names or its comment.',
    verdict: 'reject',
  },
  RECORD_SIGNATURE: {
    says: 'A record does not carry the signature of the device that it names.',
    verdict: 'reject',
  },
  RECORD_NETWORK: {
    says: 'A record belongs to another network.',
    verdict: 'reject',
  },
  RECORD_NOT_INCLUDABLE: {
    says: 'Record {record} cannot stand here in the chain: {why}.',
    verdict: 'reject',
  },
  BODY_SIZE: {
    says: 'The body of a block has {bytes:byte}; at most {limit} are allowed.',
    verdict: 'reject',
  },
  BLOCK_BODY: {
    says: 'The body that came with block {block} is not the one that its header names.',
    verdict: 'reject',
  },
  BLOCK_VERSION: {
    says: 'Block {block} has version {version}, which this software does not know.',
    verdict: 'reject',
  },
  BLOCK_NETWORK: {
    says: 'Block {block} belongs to another network.',
    verdict: 'reject',
  },
  BLOCK_PARENT_UNKNOWN: {
    says: 'The parent of block {block} is not known here yet. Ask the peer for its ancestors.',
    verdict: 'ignore',
  },
  BLOCK_PARENT_INVALID: {
    says: 'Block {block} stands on a block that is not valid.',
    verdict: 'reject',
  },
  BLOCK_HEIGHT: {
    says: 'Block {block} has height {height}; its place has height {wanted}.',
    verdict: 'reject',
  },
  BLOCK_DIFFICULTY: {
    says: 'Block {block} has difficulty {difficulty}; its place asks for {wanted}.',
    verdict: 'reject',
  },
  BLOCK_POW: {
    says: 'The hash of block {block} does not reach its difficulty {difficulty}.',
    verdict: 'reject',
  },
  BLOCK_TIME: {
    says: 'The time of block {block} is not above the median of the blocks before it.',
    verdict: 'reject',
  },
  TIME_AHEAD: {
    says: 'The time of block {block} is {ms} ms ahead of the clock here. It is kept aside; check the clocks if this lasts.',
    verdict: 'ignore',
  },
  BLOCK_SEAL: {
    says: 'Block {block} does not carry the seal of the device that it names.',
    verdict: 'reject',
  },
  BLOCK_OUTCOME: {
    says: 'Block {block} claims another outcome than this node computes. One of the two has a fault; compare the versions of the software.',
    verdict: 'reject',
  },
  MINER_NOT_ACTIVE: {
    says: 'The device {device} may not seal a block here: it is no active device of this network.',
    verdict: 'reject',
  },
  RULES_UNKNOWN: {
    says: 'From height {height} on this network follows rule version {version}, which this software does not know. Update Cairn to go on.',
    verdict: 'ignore',
  },
} as const

export const chainError: ReturnType<typeof errorFamily<typeof CHAIN_ERRORS>> =
  errorFamily(CHAIN_ERRORS)
