/**
 * `blockchain.json`: `{difficulty, chain: [{index, timestamp, data, previous_hash, nonce, hash}]}`; the data of an
 * upload: `{type: "file_upload", file_name, file_hash, file_size, uploader}`.
 *
 * What the forerunner hashed for a block is not known, so its hashes are not computed again: their links, their
 * zeros and the order of the blocks are looked at.
 */
import { short } from './findings.ts'
import { field, isList, isObject, type Json, numberIn, textIn } from './json.ts'
import type { LegacyBlock } from './types.ts'
import { nameIn, timeIn } from './values.ts'

/** What the first block of the forerunner names as the one before it. */
const NO_BLOCK = '0'
const SHA256 = /^[0-9a-f]{64}$/

type Say = (place: string, says: string) => void

/** Undefined: there is no list of blocks in it. */
export function readChain(json: Json, say: Say): LegacyBlock[] | undefined {
  const chain = field(json, 'chain')
  if (!isList(chain)) return undefined
  const difficulty = numberIn(json, 'difficulty')
  const zeros = difficulty !== undefined && Number.isInteger(difficulty) && difficulty >= 0
  if (!zeros) say('difficulty', 'is no whole number; the zeros of the hashes are not looked at')
  const prefix = '0'.repeat(zeros ? Math.min(64, difficulty) : 0)
  if (chain.length === 0) say('chain', 'has no blocks')
  let before: Json | undefined
  return chain.map((entry, place) => {
    checkBlock(entry, before, { place, prefix }, (key, says) => say(`chain[${place}]${key}`, says))
    before = entry
    return blockOf(entry)
  })
}

function checkBlock(
  entry: Json,
  before: Json | undefined,
  { place, prefix }: { readonly place: number; readonly prefix: string },
  say: Say,
): void {
  if (!isObject(entry)) return void say('', 'is no block')
  const index = field(entry, 'index')
  if (index !== place) say('.index', `is ${short(index ?? null)}; its place is ${place}`)
  const hash = textIn(entry, 'hash')
  if (hash === undefined) say('.hash', 'is missing')
  else if (!hash.startsWith(prefix)) {
    say('.hash', `is ${short(hash)}; the difficulty asks for ${prefix.length} zeros in front`)
  } else if (!SHA256.test(hash)) say('.hash', `is ${short(hash)}, which is no SHA-256`)
  const link = textIn(entry, 'previous_hash')
  const wanted = before === undefined ? NO_BLOCK : textIn(before, 'hash')
  if (link === undefined || link !== wanted) {
    say(
      '.previous_hash',
      `is ${short(link ?? null)}; the block before has ${short(wanted ?? null)}`,
    )
  }
  const time = timeIn(entry, 'timestamp')
  const last = timeIn(before, 'timestamp')
  if (time === null) say('.timestamp', 'is no time')
  else if (last !== null && time.time < last.time) {
    say('.timestamp', 'lies before that of the block before')
  }
  const kind = kindOf(entry)
  if (place === 0 && kind !== 'genesis') {
    say(
      '.data',
      `is ${kind === 'upload' ? 'an upload' : 'no genesis data'}; a first block should hold none`,
    )
  }
  if (kind === 'upload') checkUpload(field(entry, 'data'), say)
  if (kind === 'other') say('.data', 'is of a kind that is not known')
}

function checkUpload(data: Json | undefined, say: Say): void {
  for (const key of ['file_name', 'file_hash', 'uploader']) {
    if (textIn(data, key) === undefined) say(`.data.${key}`, 'is missing')
  }
  const size = numberIn(data, 'file_size')
  if (size === undefined || !Number.isInteger(size) || size < 0) {
    say('.data.file_size', 'is no number of bytes')
  }
}

function kindOf(entry: Json): LegacyBlock['kind'] {
  const data = field(entry, 'data')
  const type = textIn(data, 'type') ?? (typeof data === 'string' ? data : '')
  if (/upload/i.test(type)) return 'upload'
  if (/download/i.test(type)) return 'download'
  return /genesis/i.test(type) ? 'genesis' : 'other'
}

function blockOf(entry: Json): LegacyBlock {
  const data = field(entry, 'data')
  const kind = kindOf(entry)
  return {
    index: numberIn(entry, 'index') ?? null,
    time: timeIn(entry, 'timestamp'),
    kind,
    fileName: textIn(data, 'file_name') ?? null,
    fileHash: textIn(data, 'file_hash') ?? null,
    fileSize: numberIn(data, 'file_size') ?? null,
    user: nameIn(data, 'uploader') ?? nameIn(data, 'downloader') ?? nameIn(data, 'user'),
  }
}
