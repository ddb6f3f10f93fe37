/**
 * Invite codes: what a new device needs to find its network, as one line of text.
 *
 *     cairn:<z-base-32 of: version (1 byte) | canonical DAG-CBOR | check (4 bytes)>
 *
 * z-base-32 has no 0, l, v and 2; where a person typed one of these, it is read as the letter that looks like
 * it. Case and white space do not matter. In capitals the code is of the characters that a QR picture stores
 * most densely. `check` is the beginning of SHA-256 over "cairn/invite-code/1" and what stands before.
 */
import { base32z } from 'multiformats/bases/base32'
import { concatBytes, equalBytes, utf8 } from './bytes.ts'
import { cipherError } from './cipher-errors.ts'
import { sha256 } from './crypto.ts'
import { DAG_CBOR, decode, encode } from './dag-cbor.ts'
import { messageOf } from './errors.ts'
import { bytes, link, list, oneOf, type Shaped, text, tuple, uint } from './schema.ts'

/** `device`: another device of the one who invites; the others: a person, in this role. */
export const INVITE_KINDS = ['member', 'admin', 'backup', 'device'] as const
export type InviteKind = (typeof INVITE_KINDS)[number]

export interface Invite {
  readonly kind: InviteKind
  /** Network id: a CID. */
  readonly network: string
  /** Multiaddr texts at which members listen, at most 8 of 256 characters; not checked further here. */
  readonly addresses: readonly string[]
  /** The one-time secret: 32 bytes. */
  readonly secret: Uint8Array
  /** Milliseconds UTC. */
  readonly expires: number
}

/** Characters of a code at most: a QR picture of them is still readable in a terminal of 100 columns. */
export const MAX_INVITE_CHARS = 1200
/** Addresses of a code: two peers with a few each. */
export const MAX_INVITE_ADDRESSES = 8

const PREFIX = 'cairn:'
const VERSION = 1
const CHECK_BYTES = 4
const SECRET_BYTES = 32
const DOMAIN = 'cairn/invite-code/1'
/** Characters of the text that are looked at: a code with white space between its characters. */
const MAX_TEXT: number = 4 * MAX_INVITE_CHARS
const MAX_ADDRESS_BYTES = 256
const PEER = /^(.*)\/p2p\/([^/]+)$/u

const shape = tuple(
  ['kind', oneOf(...INVITE_KINDS)],
  ['network', link(DAG_CBOR)],
  // By peer, so that its id (or nothing) stands there once.
  [
    'peers',
    list(
      tuple(
        ['peer', text(MAX_ADDRESS_BYTES)],
        ['addresses', list(text(MAX_ADDRESS_BYTES), MAX_INVITE_ADDRESSES, 1)],
      ),
      MAX_INVITE_ADDRESSES,
    ),
  ],
  ['secret', bytes(SECRET_BYTES)],
  ['expires', uint()],
)

/**
 * The code of an invite.
 *
 * @throws INVITE_LENGTH: its addresses are too long for one code; INVITE_CONTENT: a field is out of its bounds
 */
export function encodeInvite({ kind, network, addresses, secret, expires }: Invite): string {
  const content = { kind, network, peers: grouped(addresses), secret, expires }
  let encoded: Uint8Array
  try {
    encoded = encode(shape.write(content) ?? null)
    shape.read(decode(encoded, MAX_INVITE_CHARS), 'invite')
  } catch (error) {
    throw cipherError('INVITE_CONTENT', { why: messageOf(error) }, error)
  }
  const checked = concatBytes([Uint8Array.of(VERSION), encoded])
  const code = PREFIX + base32z.baseEncode(concatBytes([checked, checkOf(checked)]))
  if (addresses.length > MAX_INVITE_ADDRESSES || code.length > MAX_INVITE_CHARS) {
    throw cipherError('INVITE_LENGTH', { limit: MAX_INVITE_CHARS, found: code.length })
  }
  return code
}

/**
 * What a code says. Whether it has expired is for the caller to see: by its own clock.
 *
 * @throws INVITE_PREFIX, INVITE_LENGTH, INVITE_CHARACTER (with the position from 1, white space not counted),
 *   INVITE_CHECKSUM, INVITE_VERSION, INVITE_CONTENT
 */
export function decodeInvite(typed: string): Invite {
  const code = typed.slice(0, MAX_TEXT).replace(/\s+/gu, '').toLowerCase()
  if (!code.startsWith(PREFIX)) throw cipherError('INVITE_PREFIX')
  if (typed.length > MAX_TEXT || code.length > MAX_INVITE_CHARS) {
    throw cipherError('INVITE_LENGTH', {
      limit: MAX_INVITE_CHARS,
      found: Math.max(code.length, typed.length > MAX_TEXT ? typed.length : 0),
    })
  }
  const letters = [...code.slice(PREFIX.length)].map((letter) => LOOKALIKES[letter] ?? letter)
  for (const [index, character] of letters.entries()) {
    if (!/^[a-km-uw-z1345-9]$/u.test(character)) {
      throw cipherError('INVITE_CHARACTER', {
        position: PREFIX.length + index + 1,
        character: /^\p{L}|\p{N}|\p{P}|\p{S}$/u.test(character) ? character : '?',
      })
    }
  }
  const payload = payloadOf(letters.join(''))
  const version = payload[0]
  if (version !== VERSION) {
    throw cipherError('INVITE_VERSION', { found: version ?? 0, known: VERSION })
  }
  let content: Shaped<typeof shape>
  try {
    content = shape.read(decode(payload.subarray(1), MAX_INVITE_CHARS), 'invite')
  } catch (error) {
    throw cipherError('INVITE_CONTENT', { why: messageOf(error) }, error)
  }
  const { kind, network, peers, secret, expires } = content
  const addresses = peers.flatMap(({ peer, addresses: each }) =>
    each.map((address) => (peer === '' ? address : `${address}/p2p/${peer}`)),
  )
  if (addresses.length > MAX_INVITE_ADDRESSES) {
    throw cipherError('INVITE_CONTENT', { why: 'it has too many addresses' })
  }
  return { kind, network, addresses, secret: Uint8Array.from(secret), expires }
}

const LOOKALIKES: Readonly<Record<string, string>> = { '0': 'o', l: '1', v: 'u', '2': 'z' }

/** Version and content, whose check digits match. */
function payloadOf(letters: string): Uint8Array {
  let all: Uint8Array
  try {
    all = base32z.baseDecode(letters)
  } catch (error) {
    throw cipherError('INVITE_CHECKSUM', {}, error)
  }
  const end = Math.max(0, all.length - CHECK_BYTES)
  const checked = all.subarray(0, end)
  if (end === 0 || !equalBytes(all.subarray(end), checkOf(checked))) {
    throw cipherError('INVITE_CHECKSUM')
  }
  return checked
}

function checkOf(checked: Uint8Array): Uint8Array {
  return sha256(concatBytes([utf8(DOMAIN), checked])).subarray(0, CHECK_BYTES)
}

function grouped(addresses: readonly string[]): { peer: string; addresses: string[] }[] {
  const peers = new Map<string, string[]>()
  for (const address of addresses) {
    const [, rest, peer] = PEER.exec(address) ?? [undefined, address, '']
    peers.set(peer ?? '', [...(peers.get(peer ?? '') ?? []), rest ?? address])
  }
  return [...peers].map(([peer, each]) => ({ peer, addresses: each }))
}
