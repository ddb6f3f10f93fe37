/** Answers about the chain, its records, and what a forerunner had stored. */
import type {
  BlockDetail,
  BlockSummary,
  ChainSummary,
  ChainVerification,
  RecordDetail,
  RecordSummary,
} from '../api-chain.ts'
import type {
  LegacyContents,
  LegacyCounts,
  LegacyFinding,
  LegacyImport,
  LegacyReport,
} from '../api-legacy.ts'
import {
  anything,
  cid,
  count,
  decimal,
  flag,
  hex,
  list,
  nullable,
  number,
  object,
  ref,
  sha256,
  text,
  time,
  words,
} from './describe.ts'

const named = ref('Named')
const state = ref('RecordState')

const block = {
  block: cid,
  height: count,
  time,
  parent: nullable(cid),
  miner: nullable(named),
  difficulty: count,
  chainwork: decimal,
  records: count,
  size: count,
  main: flag,
}
const record = {
  record: cid,
  type: text,
  user: nullable(named),
  device: named,
  sequence: count,
  time,
  size: count,
  own: flag,
  state,
}

type Part = LegacyImport['parts'][number]
type LegacyBlock = LegacyContents['blocks'][number]
type LegacyVotes = LegacyContents['votes'][number]
type LegacyContract = LegacyContents['contracts'][number]

const kind = words<Part['kind']>('blockchain', 'verifications', 'contracts')
const legacyName = ref('UnverifiedName')
const legacyTime = nullable(ref('LegacyTime'))
const legacyImport = {
  record: cid,
  file: cid,
  version: cid,
  time,
  user: named,
  parts: list(object<Part>({ kind, sha256, size: count, entries: count })),
  state,
}
const legacyReport = {
  counts: ref('LegacyCounts'),
  findings: list(ref('LegacyFinding')),
  findingCount: count,
}

export const chainReplies = {
  Chain: object<ChainSummary>({
    network: cid,
    height: count,
    tip: cid,
    tipTime: time,
    chainwork: decimal,
    difficulty: count,
    difficultyFloor: count,
    targetIntervalMs: count,
    admission: words('open', 'invite'),
    founded: time,
    ruleVersion: count,
    records: count,
    pending: count,
    stranded: count,
  }),
  BlockSummary: object<BlockSummary>(block),
  Block: object<BlockDetail>({
    ...block,
    body: cid,
    outcome: hex,
    nonce: hex,
    recordList: list(ref('RecordSummary')),
  }),
  RecordSummary: object<RecordSummary>(record),
  Record: object<RecordDetail>({
    ...record,
    previous: nullable(cid),
    seen: cid,
    replaces: nullable(cid),
    body: anything('as its type has it: links as CID text, bytes hexadecimal'),
  }),
  Verification: object<ChainVerification>({
    ok: flag,
    blocks: count,
    records: count,
    stateDigest: hex,
    problem: nullable(text),
  }),
  LegacyTime: object<{ time: number; assumedUtc: boolean }>({ time: number, assumedUtc: flag }),
  UnverifiedName: object<{ name: string; verified: false }>({ name: text, verified: flag }),
  LegacyFinding: object<LegacyFinding>({ part: kind, place: text, says: text }),
  LegacyCounts: object<LegacyCounts>({
    blocks: count,
    uploads: count,
    downloads: count,
    filesWithVotes: count,
    votes: count,
    contracts: count,
    grants: count,
    users: count,
  }),
  LegacyImport: object<LegacyImport>(legacyImport),
  LegacyImported: object<LegacyImport & LegacyReport>({ ...legacyImport, ...legacyReport }),
  LegacyContents: object<LegacyImport & LegacyContents>({
    ...legacyImport,
    ...legacyReport,
    blocks: list(
      object<LegacyBlock>({
        index: nullable(number),
        time: legacyTime,
        kind: words<LegacyBlock['kind']>('genesis', 'upload', 'download', 'other'),
        fileName: nullable(text),
        fileHash: nullable(text),
        fileSize: nullable(number),
        user: nullable(legacyName),
      }),
    ),
    votes: list(
      object<LegacyVotes>({
        fileHash: text,
        votes: list(
          object<LegacyVotes['votes'][number]>({
            user: nullable(legacyName),
            authentic: nullable(flag),
            comment: text,
            time: legacyTime,
            weight: nullable(number),
          }),
        ),
        score: nullable(number),
      }),
    ),
    contracts: list(
      object<LegacyContract>({
        fileHash: text,
        owner: nullable(legacyName),
        isPublic: nullable(flag),
        grants: list(
          object<LegacyContract['grants'][number]>({
            user: legacyName,
            granted: legacyTime,
            maxDownloads: nullable(number),
            downloadsUsed: nullable(number),
          }),
        ),
        accesses: count,
      }),
    ),
    reputation: list(
      object<LegacyContents['reputation'][number]>({ user: legacyName, value: nullable(number) }),
    ),
  }),
}
