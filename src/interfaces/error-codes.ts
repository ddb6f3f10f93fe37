/** The one table from error codes to HTTP status and to exit codes of the command line. */

/** Exit codes of the command line. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  noNode: 3,
  notFound: 4,
  refused: 5,
  unavailable: 6,
  damaged: 7,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export interface CodeMeaning {
  readonly http: number
  readonly exit: ExitCode
}

const of = (http: number, exit: ExitCode): CodeMeaning => ({ http, exit })

const USAGE = of(400, EXIT.usage)
const NOT_FOUND = of(404, EXIT.notFound)
const REFUSED = of(403, EXIT.refused)
const CONFLICT = of(409, EXIT.failed)
const UNAVAILABLE = of(503, EXIT.unavailable)
const FULL = of(507, EXIT.unavailable)
const DAMAGED = of(500, EXIT.damaged)
const FAILED = of(500, EXIT.failed)

export const CODE_MEANINGS: Readonly<Record<string, CodeMeaning>> = {
  // interfaces
  BAD_REQUEST: USAGE,
  ROUTE_NOT_FOUND: of(404, EXIT.failed),
  METHOD_NOT_ALLOWED: of(405, EXIT.failed),
  TOKEN_REQUIRED: of(401, EXIT.refused),
  HOST_REFUSED: of(421, EXIT.refused),
  ORIGIN_REFUSED: REFUSED,
  BODY_TOO_LARGE: of(413, EXIT.usage),
  BODY_STALLED: of(408, EXIT.unavailable),
  BODY_INCOMPLETE: of(400, EXIT.failed),
  MEDIA_TYPE_UNKNOWN: of(415, EXIT.usage),
  RANGE_UNSATISFIABLE: of(416, EXIT.usage),
  VERSION_NOT_FOUND: NOT_FOUND,
  VISIBILITY_MISSING: USAGE,
  NODE_STOPPING: UNAVAILABLE,
  PATH_INVALID: USAGE,
  CID_INVALID: USAGE,
  NOT_PUBLIC: NOT_FOUND,
  FORMAT_UNKNOWN: of(400, EXIT.usage),
  PATH_NOT_FOUND: NOT_FOUND,
  GATEWAY_TIMEOUT: of(504, EXIT.unavailable),
  USAGE,
  NO_NODE: of(503, EXIT.noNode),
  NODE_SILENT: of(503, EXIT.noNode),
  NODE_ANSWER: FAILED,
  NODE_CUT: UNAVAILABLE,
  NODE_RUNS: CONFLICT,
  NODE_START: FAILED,
  NODE_STOP_TIMEOUT: UNAVAILABLE,
  PORT_IN_USE: CONFLICT,
  PORT_REFUSED: CONFLICT,
  CONFIG_INVALID: USAGE,
  CONFIG_UNREADABLE: USAGE,
  SOURCE_UNREADABLE: NOT_FOUND,
  SOURCE_IS_FOLDER: USAGE,
  SOURCE_CHANGED: of(409, EXIT.unavailable),
  TARGET_UNWRITABLE: FAILED,
  TARGET_EXISTS: FAILED,
  CONTENT_DIFFERS: DAMAGED,
  NOT_CONFIRMED: UNAVAILABLE,
  CHAIN_DAMAGED: DAMAGED,
  CHECKS_FAILED: FAILED,
  INTERRUPTED: FAILED,

  // common
  ENCODING: USAGE,
  QUEUE_FULL: UNAVAILABLE,
  ASSERTION: FAILED,

  // the operating system's own
  ENOSPC: FULL,
  EDQUOT: FULL,
  EACCES: of(500, EXIT.failed),
  EMFILE: UNAVAILABLE,
  EIO: DAMAGED,
}

/** What `code` means outside; an unknown code is a failure of the program. */
export function meaningOf(code: string): CodeMeaning {
  return (Object.hasOwn(CODE_MEANINGS, code) ? CODE_MEANINGS[code] : undefined) ?? FAILED
}
