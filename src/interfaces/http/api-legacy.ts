/** What a forerunner of this program had stored, as the services give it. Units and promises: api.ts. */
import type { LegacyService } from '../../services/legacy/legacy.ts'

export type {
  LegacyContents,
  LegacyCounts,
  LegacyFinding,
  LegacyImport,
  LegacyReport,
} from '../../services/legacy/types.ts'
export type LegacyApi = LegacyService
