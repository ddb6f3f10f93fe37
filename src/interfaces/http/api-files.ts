/** Files and votes, as the services give them. Units and promises: api.ts. */
import type { FilesService } from '../../services/files/files-service.ts'
import type { VotingService } from '../../services/voting.ts'

export type { ReadingWait } from '../../services/files/secrets.ts'
export type {
  AddedFile,
  AddOptions,
  Candidate,
  FetchedFile,
  FileInfo,
  FileQuery,
  FileSummary,
  FileVersion,
  HistoryEntry,
  Progress,
  Tally,
  Visibility,
  WorkOptions,
} from '../../services/files/types.ts'
export type { Vote } from '../../services/voting.ts'
export type FilesApi = FilesService
export type VotesApi = VotingService
