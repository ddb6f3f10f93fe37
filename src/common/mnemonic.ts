/**
 * The recovery kit as a person has it: its 32 bytes as 24 words (BIP-39, the English list). What it opens:
 * recovery-keys.ts, which loads no list of words.
 *
 * The words encode the bytes themselves, not a seed that is derived from the words as a wallet's is.
 */
import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import { cipherError } from './cipher-errors.ts'
import { KEY_BYTES } from './crypto.ts'
import { assert } from './errors.ts'

const WORDS = 24
/** Letters that tell each word of the list from all others. */
const PREFIX_LETTERS = 4
/** Characters of the text that are looked at: 24 words, their numbers and a lot of white space. */
const MAX_TEXT = 2048
/** Letters of a word that are looked at: the list's longest has 8. */
const MAX_WORD = 16
/** Changed, missing or added letters of a word that is suggested. */
const MAX_DISTANCE = 2
const MAX_SUGGESTIONS = 3

/** The 24 words of a secret of 32 bytes. */
export function wordsFromSecret(secret: Uint8Array): string[] {
  assert(secret.length === KEY_BYTES, 'a recovery secret has 32 bytes')
  return entropyToMnemonic(secret, wordlist).split(' ')
}

/**
 * The secret (32 bytes) of 24 words as a person types them: any case, white space, commas and numbers between
 * them; the first four letters of a word are enough.
 *
 * @throws WORDS_COUNT, WORDS_UNKNOWN (with the position from 1 and near words), WORDS_CHECKSUM
 */
export function secretFromWords(text: string): Uint8Array {
  const typed = text
    .slice(0, MAX_TEXT)
    .normalize('NFKC')
    .toLowerCase()
    .split(/[\s,;]+/u)
    .map((word) => word.replace(/^\d{1,2}[.):-]*/u, '').replace(/\.+$/u, ''))
    .filter((word) => word !== '')
  const words = typed.slice(0, WORDS).map((word, index) => listed(word, index + 1))
  if (typed.length !== WORDS || text.length > MAX_TEXT) {
    throw cipherError('WORDS_COUNT', { found: typed.length })
  }
  try {
    return Uint8Array.from(mnemonicToEntropy(words.join(' '), wordlist))
  } catch (error) {
    throw cipherError('WORDS_CHECKSUM', {}, error)
  }
}

/** The word of the list that `word` is or begins. */
function listed(word: string, position: number): string {
  if (wordlist.includes(word)) return word
  if (word.length >= PREFIX_LETTERS) {
    const found = wordlist.find((each) => each.startsWith(word))
    if (found !== undefined) return found
  }
  const near = suggestions(word.slice(0, MAX_WORD))
  throw cipherError('WORDS_UNKNOWN', {
    position,
    word: word.slice(0, MAX_WORD).replace(/[^\p{L}\p{N}]/gu, '?'),
    near: near.join(' '),
    hint: near.length === 0 ? '' : ` Perhaps: ${near.join(', ')}.`,
  })
}

function suggestions(word: string): string[] {
  return wordlist
    .map((each) => ({ each, away: distance(word, each) }))
    .filter(({ away }) => away <= MAX_DISTANCE)
    .sort((a, b) => a.away - b.away)
    .slice(0, MAX_SUGGESTIONS)
    .map(({ each }) => each)
}

/** Letters to change, add or take away to make `b` of `a`. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) {
      const change = (row[j] ?? 0) + (letter === b[j] ? 0 : 1)
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
