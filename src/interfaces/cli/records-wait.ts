/** `--wait confirmed`. */
import { InvalidArgumentError, Option } from 'commander'
import type { Client } from '../client/client.ts'
import { interfaceError } from '../errors.ts'
import type { RecordDetail } from '../http/api-chain.ts'
import type { RecordState } from '../http/api-common.ts'
import type { Session } from './session.ts'

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

/** The record's state once it is confirmed. @throws NOT_CONFIRMED */
export async function waitConfirmed(
  client: Client,
  record: string,
  seconds: number,
  { signal }: Session,
): Promise<RecordState> {
  const { state } = await client.call<RecordDetail>(
    'GET',
    `/api/v1/records/${record}`,
    { query: { wait: 'confirmed', timeout: seconds }, answerMs: (seconds + 10) * 1000 },
    signal,
  )
  if (state.status !== 'confirmed') throw interfaceError('NOT_CONFIRMED', { seconds })
  return state
}
