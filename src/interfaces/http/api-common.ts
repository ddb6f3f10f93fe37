/** Words that all parts of the API share. Units and promises: api.ts. */
export type { Named } from '../../services/explorer/directory.ts'
export type { RecordState } from '../../services/explorer/record-state.ts'
export type { Page } from '../../services/page.ts'
