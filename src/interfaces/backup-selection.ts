/** Which backup somebody means: `newest`, a time, or whatever a backup is called by. */
import { isBackupCid, parseBackupCid } from '../services/backup/ipfs-place.ts'
import type { Selection } from '../services/backup/selection.ts'

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
  if (isBackupCid(wanted)) return { id: parseBackupCid(wanted) }
  return { id: wanted.replace(/^backup_id=/, '') }
}
