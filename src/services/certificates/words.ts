/**
 * What a certificate proves and what not, in sentences: the same on the page and in the terminal. Names of members
 * are as they chose them; whoever shows these sentences escapes them.
 */
import type { CertificateFacts, CertifiedMember } from '../../chain/certificate-facts.ts'
import { count } from '../../common/plural.ts'

export interface CertificateWords {
  readonly title: string
  /** What it is about: label and value. */
  readonly facts: readonly (readonly [string, string])[]
  readonly proves: readonly string[]
  readonly stated: readonly string[]
  readonly notProven: readonly string[]
}

export function certificateWords(facts: CertificateFacts): CertificateWords {
  const { details, block, tip, author } = facts
  const name = details === null ? 'a private file' : pathOf(details)
  return {
    title: `Certificate of ${name}`,
    facts: [
      ...(details === null
        ? ([['name', 'encrypted; this certificate does not open it']] as const)
        : ([
            ['name', pathOf(details)],
            ['SHA-256', details.sha256],
            ['size', count(details.size, 'byte')],
            ['type', details.mediaType],
          ] as const)),
      ['visibility', facts.visibility],
      [facts.visibility === 'public' ? 'CID' : 'CID (encrypted bytes)', facts.root],
      [`${facts.change} by`, memberWords(author)],
      ['signed', `${utc(facts.signed)} by the clock of that device`],
      ['in block', `${block.height}, sealed ${utc(block.time)}`],
      ['confirmations', `${facts.confirmations}, up to block ${tip.height} of ${utc(tip.time)}`],
      ['work', workWords(facts.work)],
      ['version', facts.version],
      ['file', facts.file],
      ['record', facts.record],
      ['network', facts.network],
      ['made by', `${memberWords(facts.maker)}, ${utc(facts.made)}`],
    ],
    proves: provesWords(facts),
    stated: statedWords(facts),
    notProven: notProvenWords(facts),
  }
}

function provesWords(facts: CertificateFacts): string[] {
  const { author, block, seen, details, tip } = facts
  const what = details === null ? 'encrypted bytes' : 'bytes with this SHA-256'
  return [
    `A device with the key ${author.device} signed that ${what} are a version of this file.`,
    `That device belongs to the user "${author.userName ?? ''}" (${author.user ?? ''}) of this network. Its admission, and those that this rests on, are contained: signed, proven, and in blocks.`,
    seen === null
      ? 'The block that the device knew when it signed is not contained.'
      : `The signature was made after block ${seen.height} (sealed ${utc(seen.time)}) existed: it names that block.`,
    `It was made before block ${block.height} (sealed ${utc(block.time)}), which holds it.`,
    `The blocks ${block.height} to ${tip.height} (${facts.confirmations} in all, the last one of ${utc(tip.time)}) follow each other, each with its work and its seal; the work comes to ${workWords(facts.work)}.`,
    facts.fromGenesis && facts.gaps === 0
      ? `The headers of all blocks since the founding of the network (${utc(facts.founded)}; ${facts.headers} in all) are contained and keep to the rules of work, difficulty and time.`
      : `The headers of ${count(facts.headers, 'block')} are contained; ${facts.gaps === 0 ? 'those before them are' : 'some between them are'} left out.`,
    ...facts.votes.map(
      (vote) =>
        `${memberWords(vote)} signed the verdict "${vote.verdict}"${
          vote.comment === '' ? '' : ` ("${vote.comment}")`
        }, in block ${vote.height}.`,
    ),
  ]
}

function statedWords(facts: CertificateFacts): string[] {
  const { stated, votes, maker } = facts
  const weighed = votes.flatMap(({ userName, user, weight }) =>
    weight === null ? [] : [`${userName ?? user ?? ''} ${(weight / 1000).toFixed(1)}`],
  )
  return [
    `Stated by ${memberWords(maker)}, who signed this certificate, as of block ${stated.height}:`,
    'the network’s rules accepted the version;',
    stated.authorActive
      ? 'the device that signed it was not revoked;'
      : 'the device that signed it was revoked later;',
    stated.score === null
      ? 'nobody had voted on it.'
      : `${count(stated.authenticVotes, 'vote')} authentic, ${stated.suspiciousVotes} suspicious, score ${stated.score} of 100${
          weighed.length === 0 ? '' : `, weights: ${weighed.join(', ')}`
        }.`,
  ]
}

function notProvenWords(facts: CertificateFacts): string[] {
  const users = new Set(facts.sealers.map(({ user, device }) => user ?? device))
  const own = facts.sealers.every(({ user }) => user !== null && user === facts.author.user)
  const strangers = facts.sealers.filter(({ user }) => user === null)
  const strange = strangers.reduce((sum, { blocks }) => sum + blocks, 0)
  return [
    ...(strange === 0
      ? []
      : [
          `That whoever sealed ${count(strange, 'block')} of these is a member: their admissions are not contained.`,
        ]),
    `That this network is the one you mean: anybody can found another, with the same names and any times. Compare its id, ${facts.network}, with one from somebody you trust (--network).`,
    'The times are those of the clocks of the devices that sealed the blocks, held within bounds by each other. They are no time stamp of an authority and have no force of law by themselves.',
    own
      ? 'All of these blocks were sealed by devices of the same user who signed the version: nobody else vouches for the times.'
      : `These blocks were sealed by devices of ${count(users.size, 'user')}; a single one of them with enough computing power could have made as many.`,
    'Names are what the members called themselves. Who they are, the network cannot know.',
    'That this chain is the one that the network’s members have today, and that nothing later (a removal, a newer version, a revocation) changed what counts, can only be seen with a node of the network.',
    'The rules were not run over the whole chain: that the version was accepted, and what the votes weigh, is stated and not shown.',
    facts.details === null
      ? 'It does not say what the bytes are: the key to name, size and SHA-256 is not contained.'
      : 'Whether the content is true, lawful, or its author’s own work.',
  ]
}

/** `Ada (laptop)`. */
export function memberWords({ userName, user, deviceName, device }: CertifiedMember): string {
  if (user === null) return device
  return `${userName ?? user} (${deviceName ?? device})`
}

/** Hashes that a processor core makes in a second, as a measure for people. */
const HASHES_PER_SECOND = 1_000_000n

/** `1,200,000 expected hashes (about 1 second of one processor core at a million a second)`. */
function workWords(work: string): string {
  const seconds = BigInt(work) / HASHES_PER_SECOND
  const time =
    seconds < 1n
      ? 'less than a second'
      : seconds < 7_200n
        ? `about ${count(Number(seconds), 'second')}`
        : seconds < 172_800n
          ? `about ${count(Number(seconds / 3_600n), 'hour')}`
          : `about ${seconds / 86_400n} days`
  return `${grouped(work)} expected hashes (${time} of one processor core at a million a second)`
}

/** `2026-11-21 14:05:09 UTC`; a number where there is no such date. */
export function utc(ms: number): string {
  const date = new Date(ms)
  if (Number.isNaN(date.getTime())) return `${ms} ms after 1970`
  return `${date.toISOString().slice(0, -5).replace('T', ' ')} UTC`
}

function grouped(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, ',')
}

function pathOf({ folder, name }: { folder: readonly string[]; name: string }): string {
  return [...folder, name].join('/')
}
