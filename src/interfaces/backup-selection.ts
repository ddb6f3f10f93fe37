/** Which backup somebody means: `newest`, a time, or whatever a backup is called by. */
import type { Selection } from '../services/backup/restore.ts'

const TIME = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?Z?)?$/

/** A time without a zone is UTC; a day means its end. */
export function selectionOf(text: string): Selection {
  const wanted = text.trim()
  if (wanted === '' || wanted === 'newest' || wanted === 'latest') return {}
  if (TIME.test(wanted)) {
    const whole = wanted.length === 10 ? `${wanted}T23:59:59.999` : wanted.replace(' ', 'T')
    const time = Date.parse(whole.endsWith('Z') ? whole : `${whole}Z`)
    if (!Number.isNaN(time)) return { time }
  }
  return { id: wanted.replace(/^backup_id=/, '') }
}
