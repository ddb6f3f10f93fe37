/** What a person reads of backups. */
import { count } from '../../common/plural.ts'
import type { BackupsStatus } from '../http/api.ts'
import { printable, size, table, time } from './format.ts'

/** What `status` and `backup` tell of backups. */
export function backupsText({ destinations, warnings, faults, returned }: BackupsStatus): string {
  const lines = destinations.map((each) => {
    const { newest, stored, verified, drilled, monthly } = each
    return [
      each.destination,
      newest === null ? 'nothing yet' : time(newest.time),
      stored === null ? '-' : `${stored.backups}, ${size(stored.bytes)}`,
      stored === null || stored.backups === 0 ? '-' : size(stored.average),
      verified === null
        ? 'never'
        : `${time(verified.time)}${verified.code === null ? '' : ` ${verified.code}`}`,
      drilled === null
        ? 'never'
        : `${time(drilled.time)}${drilled.code === null ? '' : ` ${drilled.code}`}${drilled.by === null ? '' : ` by ${printable(drilled.by)}`}`,
      monthly === null ? '-' : `$${monthly.toFixed(monthly < 1 ? 4 : 2)}`,
      each.lastError !== null
        ? `fails (${each.lastError.code})`
        : each.behind
          ? 'writing'
          : 'complete',
    ]
  })
  const shown =
    lines.length === 0
      ? []
      : [
          table(
            ['backups to', 'newest', 'stored', 'each', 'verified', 'practised', 'a month', 'state'],
            lines,
          ),
        ]
  const contents = destinations.flatMap(({ destination, contents: there }) =>
    there === null ? [] : [contentsText(destination, there)],
  )
  if (returned !== null && (returned.running || returned.files > 0)) {
    const state = returned.running ? 'contents come back from backups' : 'came back from backups'
    contents.push(`${state}: ${count(returned.files, 'file')}, ${size(returned.bytes)}`)
  }
  const loud = [...warnings, ...faults.map(({ message }) => message)]
  return [...shown, ...contents, ...loud.map((each) => `! ${printable(each)}`)].join('\n')
}

type Contents = NonNullable<BackupsStatus['destinations'][number]['contents']>

/** A line about contents at a destination. */
export function contentsText(destination: string, { files, bytes, waiting }: Contents): string {
  const left =
    waiting === null
      ? 'not looked at yet'
      : waiting.files === 0
        ? 'complete'
        : `${count(waiting.files, 'file')} (${size(waiting.bytes)}) not there yet`
  return `contents at ${destination}: ${count(files, 'file')}, ${size(bytes)}; ${left}`
}
