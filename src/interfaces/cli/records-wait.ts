/** `--wait confirmed`. */
import { InvalidArgumentError, Option } from 'commander'
import type { Client } from '../client/client.ts'
import { EXIT } from '../error-codes.ts'
import { interfaceError } from '../errors.ts'
import type { RecordDetail } from '../http/api-chain.ts'
import type { RecordState } from '../http/api-common.ts'
import { Done } from './done.ts'
import type { Options } from './register.ts'
import type { Session } from './session.ts'
import { reasonWords } from './states.ts'

const DEFAULT_SECONDS = 60
const MAX_SECONDS = 600

export function waitOptions(): Option[] {
  return [
    new Option('--wait <state>', 'wait until it is in a block').choices(['confirmed']),
    new Option('--timeout <seconds>', 'how long to wait')
      .default(String(DEFAULT_SECONDS))
      .argParser((text) => wholeNumber(text, 1, MAX_SECONDS)),
  ]
}

/** A whole number of an option, as text; commander tells of anything else. */
export function wholeNumber(text: string, least: number, most: number): string {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < least || value > most) {
    throw new InvalidArgumentError(`a whole number from ${least} to ${most} is allowed.`)
  }
  return text
}

/** How `records` stand when all are confirmed, or when the time of `--timeout` is over; empty without `--wait`. */
export async function settled(
  { signal }: Session,
  client: Client,
  records: readonly string[],
  { wait, timeout }: Options,
): Promise<RecordState[]> {
  if (wait === undefined) return []
  const until = Date.now() + Number(timeout) * 1000
  const states: RecordState[] = []
  for (const record of records) {
    // Those of one add are mostly confirmed together: after the first, the others are asked for once.
    const seconds = Math.max(1, Math.ceil((until - Date.now()) / 1000))
    const { state } = await client.call<RecordDetail>(
      'GET',
      `/api/v1/records/${record}`,
      {
        query: Date.now() < until ? { wait: 'confirmed', timeout: seconds } : {},
        answerMs: (seconds + 10) * 1000,
      },
      signal,
    )
    states.push(state)
  }
  return states
}

/** After the result was told: ends with another exit code when something was late or refused. */
export function judge(
  session: Session,
  states: readonly RecordState[],
  { timeout }: Options,
): void {
  const rejected = states.find(({ outcome }) => outcome === 'rejected')
  if (rejected !== undefined) {
    session.note(`cairn: the network refused it: ${reasonWords(rejected.code)}`)
    throw new Done(EXIT.refused)
  }
  if (states.every(({ status }) => status === 'confirmed')) return
  session.note(`cairn: ${interfaceError('NOT_CONFIRMED', { seconds: Number(timeout) }).message}`)
  throw new Done(EXIT.unavailable)
}
