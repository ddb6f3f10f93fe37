/** chain, records. */
import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { Command } from 'commander'
import { messageOf } from '../../../common/errors.ts'
import { count } from '../../../common/plural.ts'
import { segment } from '../../client/segment.ts'
import { interfaceError } from '../../errors.ts'
import type {
  BlockDetail,
  BlockSummary,
  ChainSummary,
  ChainVerification,
  RecordDetail,
  RecordSummary,
} from '../../http/api-chain.ts'
import type { Page } from '../../http/api-common.ts'
import { fields, shortId, size, table, time } from '../format.ts'
import { wholeNumber } from '../records-wait.ts'
import type { CommandSetup } from '../register.ts'
import { nameOf, stateWord, stateWords } from '../states.ts'

const LISTED = '20'
const limit = (command: Command): Command =>
  command.option(
    '--limit <number>',
    'at most so many',
    (text) => wholeNumber(text, 1, 1000),
    LISTED,
  )

export function registerChain({ program, register }: CommandSetup): void {
  const chain = program.command('chain').description('the chain at a glance')
  register(chain, async (session) => {
    const client = await session.node()
    const summary = await client.get<ChainSummary>('/api/v1/chain', {}, session.signal)
    session.result(summary, () =>
      fields([
        ['network', summary.network],
        ['height', `${summary.height}`],
        ['tip', `${summary.tip}, ${time(summary.tipTime)}`],
        ['work', `${summary.chainwork} hashes expected`],
        ['difficulty', `${summary.difficulty} (at least ${summary.difficultyFloor})`],
        [
          'records',
          `${summary.records} confirmed, ${summary.pending} pending, ${summary.stranded} stranded`,
        ],
        ['admission', summary.admission],
        ['rules', `version ${summary.ruleVersion}`],
        ['founded', time(summary.founded)],
      ]),
    )
  })

  const log = limit(new Command('log').description('the newest blocks'))
  register(log, async (session, _args, options) => {
    const client = await session.node()
    const page = await client.get<Page<BlockSummary>>(
      '/api/v1/chain/blocks',
      { limit: Number(options.limit) },
      session.signal,
    )
    session.result(page, () =>
      table(
        ['height', 'time', 'records', 'size', 'difficulty', 'sealed by', 'id'],
        page.items.map((block) => [
          `${block.height}`,
          time(block.time),
          `${block.records}`,
          size(block.size),
          `${block.difficulty}`,
          block.miner === null ? '-' : nameOf(block.miner),
          shortId(block.block),
        ]),
      ),
    )
  })

  const show = new Command('show')
    .description('one block')
    .argument('<block>', 'id, beginning of an id, or height')
  register(show, async (session, [id = '']) => {
    const client = await session.node()
    const path = `/api/v1/chain/blocks/${segment(id)}`
    const block = await client.get<BlockDetail>(path, {}, session.signal)
    session.result(block, () => {
      const head = fields([
        ['block', block.block],
        ['height', `${block.height}${block.main ? '' : ' (not on the best chain)'}`],
        ['time', time(block.time)],
        ['parent', block.parent ?? 'none: the beginning'],
        ['sealed by', block.miner === null ? 'nobody: the beginning' : nameOf(block.miner)],
        ['difficulty', `${block.difficulty}`],
        ['body', block.body],
        ['outcome', block.outcome],
      ])
      return block.recordList.length === 0 ? head : `${head}\n\n${recordTable(block.recordList)}`
    })
  })

  const verify = new Command('verify').description('check everything again, from the beginning')
  register(verify, async (session) => {
    const client = await session.node()
    const bar = session.quiet ? undefined : session.progress('checking blocks')
    let found: ChainVerification
    try {
      found = await client.work<ChainVerification>(
        'POST',
        '/api/v1/chain/verify',
        {},
        session.signal,
      )
    } finally {
      bar?.end()
    }
    if (!found.ok) throw interfaceError('CHAIN_DAMAGED', { problem: found.problem ?? 'unknown' })
    session.result(
      found,
      `the chain is right: ${count(found.blocks, 'block')}, ${count(found.records, 'record')}, state ${found.stateDigest}`,
    )
  })

  const exported = new Command('export')
    .description('write the chain as a CAR file, which any IPFS tool reads')
    .requiredOption('-o, --output <path>', 'file to write to; "-" is standard output')
  register(exported, async (session, _args, { output }) => {
    const path = String(output)
    if (path === '-' && session.json) {
      throw interfaceError('USAGE', { why: '-o - and --json both want standard output.' })
    }
    const client = await session.node()
    const response = await client.open('GET', '/api/v1/chain/export', {}, session.signal)
    let bytes = 0
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    const target = path === '-' ? session.terminal.out : createWriteStream(path)
    await pipeline(response, target, { end: path !== '-', signal: session.signal }).catch(
      (error: unknown) => {
        throw session.signal.aborted
          ? interfaceError('INTERRUPTED')
          : interfaceError('TARGET_UNWRITABLE', { path, why: messageOf(error) }, error)
      },
    )
    if (path !== '-') session.result({ path, size: bytes }, `${path}  ${size(bytes)}`)
  })
  for (const command of [log, show, verify, exported]) {
    chain.addCommand(command.copyInheritedSettings(program))
  }

  register(
    limit(
      program
        .command('records')
        .description('the newest records, or one')
        .argument('[record]', 'id, or beginning of one')
        .option('--pending', 'only those in no block'),
    ),
    async (session, [id], options) => {
      const client = await session.node()
      if (id !== undefined) {
        const path = `/api/v1/records/${segment(id)}`
        const record = await client.get<RecordDetail>(path, {}, session.signal)
        return session.result(record, () => recordText(record))
      }
      const page = await client.get<Page<RecordSummary>>(
        '/api/v1/records',
        { limit: Number(options.limit), pending: options.pending === true ? true : undefined },
        session.signal,
      )
      session.result(page, () => (page.items.length === 0 ? 'no records' : recordTable(page.items)))
    },
  )
}

function recordTable(records: readonly RecordSummary[]): string {
  return table(
    ['time', 'type', 'by', 'device', 'number', 'state', 'id'],
    records.map((record) => [
      time(record.time),
      record.type,
      record.user === null ? '-' : nameOf(record.user),
      nameOf(record.device),
      `${record.sequence}`,
      stateWord(record.state),
      shortId(record.record),
    ]),
  )
}

function recordText(record: RecordDetail): string {
  const head = fields([
    ['record', record.record],
    ['type', record.type],
    ['by', record.user === null ? undefined : nameOf(record.user)],
    ['device', `${nameOf(record.device)}, its number ${record.sequence}`],
    ['time', time(record.time)],
    ['state', stateWords(record.state)],
    ['previous', record.previous ?? undefined],
    ['replaces', record.replaces ?? undefined],
  ])
  return `${head}\n\n${JSON.stringify(record.body, null, 2)}`
}
