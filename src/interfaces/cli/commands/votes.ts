/** vote, votes. */
import { MAX_COMMENT_CHARACTERS } from '../../../chain/record-bodies.ts'
import { segment } from '../../client/segment.ts'
import { interfaceError } from '../../errors.ts'
import type { Tally, Vote } from '../../http/api-files.ts'
import { printable, table, time } from '../format.ts'
import { judge, settled, waitOptions } from '../records-wait.ts'
import type { CommandSetup } from '../register.ts'
import { nameOf, stateWord, tallyWords } from '../states.ts'

const VERDICTS: readonly string[] = ['authentic', 'suspicious']

export function registerVotes({ program, register }: CommandSetup): void {
  const vote = program
    .command('vote')
    .description('say what you think of a file')
    .argument('<file>', 'name, id, beginning of an id, or CID')
    .argument('<verdict>', 'authentic or suspicious')
    .option('--comment <text>', `at most ${MAX_COMMENT_CHARACTERS} characters`)
    .option('--version <version>', 'number or id of an older version')
  for (const option of waitOptions()) vote.addOption(option)
  register(vote, async (session, [file = '', verdict = ''], options) => {
    const { comment, version } = options
    if (!VERDICTS.includes(verdict)) {
      throw interfaceError('USAGE', {
        why: `${verdict} is no verdict; allowed: ${VERDICTS.join(', ')}.`,
      })
    }
    const client = await session.node()
    const json = {
      verdict,
      ...(comment === undefined ? {} : { comment }),
      ...(version === undefined ? {} : { version }),
    }
    const path = `/api/v1/files/${segment(file)}/votes`
    const cast = await client.call<Vote>('POST', path, { json }, session.signal)
    const states = await settled(session, client, [cast.record], options)
    session.result(
      { ...cast, state: states[0] ?? cast.state },
      `voted ${verdict} on ${printable(file)}`,
    )
    judge(session, states, options)
  })

  register(
    program
      .command('votes')
      .description('the votes on a file')
      .argument('<file>', 'name, id, beginning of an id, or CID'),
    async (session, [file = '']) => {
      const client = await session.node()
      const votes = await client.get<{ tally: Tally; items: Vote[]; name: string }>(
        `/api/v1/files/${segment(file)}/votes`,
        {},
        session.signal,
      )
      session.result(votes, () => {
        if (votes.items.length === 0) return `nobody voted on ${printable(votes.name)} yet`
        const rows = votes.items.map((one) => [
          time(one.time),
          nameOf(one.user),
          one.verdict,
          one.weight === null ? '-' : (one.weight / 1000).toFixed(1),
          one.counts ? stateWord(one.state) : 'replaced',
          one.comment,
        ])
        return `score ${tallyWords(votes.tally)}\n\n${table(['time', 'who', 'verdict', 'weight', 'state', 'comment'], rows)}`
      })
    },
  )
}
