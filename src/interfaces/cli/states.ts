/** Words for where things stand. */
import { REASONS } from '../../chain/reasons.ts'
import { count } from '../../common/plural.ts'
import type { Named, RecordState } from '../http/api-common.ts'
import type { FileSummary, Tally } from '../http/api-files.ts'
import { size } from './format.ts'

/** Why a record does nothing: `The owner took the grant back (ACCESS_REVOKED)`; a code that is not known by itself. */
export function reasonWords(code: string | null | undefined): string {
  if (code === null || code === undefined) return 'no reason'
  if (!Object.hasOwn(REASONS, code)) return code
  return `${REASONS[code as keyof typeof REASONS].replace(/\.$/, '')} (${code})`
}

/** `pending`, `confirmed in block 12`, `rejected in block 12: why (CODE)`, … */
export function stateWords({ status, outcome, code, height }: RecordState): string {
  if (status !== 'confirmed') return status
  if (outcome === 'rejected') return `rejected in block ${height}: ${reasonWords(code)}`
  if (outcome === 'waiting') return `waiting for another record, in block ${height}`
  return `confirmed in block ${height}`
}

/** The same in short, for tables. */
export function stateWord({ status, outcome, code }: RecordState): string {
  if (status !== 'confirmed') return status
  if (outcome === 'rejected') return `rejected: ${reasonWords(code)}`
  return outcome === 'waiting' ? 'waiting' : 'confirmed'
}

/** `92.5 (4 votes)`, `-` without votes. */
export function tallyWords({ score, authentic, suspicious, settled }: Tally): string {
  if (score === null) return '-'
  return `${score} (${count(authentic + suspicious, 'vote')}${settled ? ', settled' : ''})`
}

/** What is special about a file. */
export function fileWords(file: FileSummary): string {
  const words = [file.local ? 'here' : 'elsewhere']
  if (file.pending) words.push('pending')
  if (file.conflict) words.push('conflict')
  if (file.removed) words.push('removed')
  if (file.kept) words.push('kept')
  return words.join(', ')
}

/** `folder/name`; `a private file` where the name is sealed to this device. */
export function pathOf({
  folder,
  name,
  owner,
}: {
  readonly folder: readonly string[]
  readonly name: string | null
  readonly owner?: Named
}): string {
  if (name !== null) return [...folder, name].join('/')
  return owner === undefined ? 'a private file' : `a private file of ${nameOf(owner)}`
}

/** Bytes as people read them; of what is sealed to this device, about what is stored of it. */
export function sizeOf(of: { readonly size: number | null; readonly storedSize: number }): string {
  return of.size === null ? `about ${size(of.storedSize)}` : size(of.size)
}

/** A name, or the end of an id. */
export function nameOf({ id, name }: { id: string; name: string | null }): string {
  return name ?? `(${id.slice(-8)})`
}
