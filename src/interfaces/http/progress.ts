/**
 * Answers that tell of their progress: newline-delimited JSON (`application/x-ndjson`), when the client asks
 * for it. Lines: `{"type":"progress","bytes":…,"total":…}`, `{"type":"wait","for":…,"holders":[…]}`, then exactly
 * one `{"type":"done","result":…}` or `{"type":"error","error":{code,message,details}}`. A stream without such an end was cut.
 */

import { errorBody } from './answer.ts'
import type { Progress, ReadingWait } from './api-files.ts'
import type { Answer, Exchange } from './route.ts'

export const NDJSON = 'application/x-ndjson'

/** Without progress for so long, the last line is repeated: it shows that the node works. */
const HEARTBEAT_MS = 5_000

export type ProgressLine =
  | ({ readonly type: 'progress' } & Progress)
  | ({ readonly type: 'wait' } & ReadingWait)
  | { readonly type: 'done'; readonly result: unknown }
  | { readonly type: 'error'; readonly error: ReturnType<typeof errorBody> }

/**
 * Runs `work` and answers with its result: as JSON with `status`, or as a stream of progress for a client
 * that accepts one. An error before the first progress is an ordinary error answer.
 */
export async function answerWithProgress<T>(
  { request, response, signal, id }: Exchange,
  status: number,
  work: (
    onProgress: (progress: Progress) => void,
    onWait: (wait: ReadingWait) => void,
  ) => Promise<T>,
  headers: (result: T) => Readonly<Record<string, string>> = () => ({}),
): Promise<Answer | undefined> {
  if (!(request.headers.accept ?? '').includes(NDJSON)) {
    const result = await work(
      () => {},
      () => {},
    )
    return { status, json: result, headers: headers(result) }
  }
  let last: Progress = { bytes: 0, total: null }
  const write = (line: ProgressLine): void => {
    if (!response.headersSent) {
      response.writeHead(200, { 'Content-Type': NDJSON, 'Cache-Control': 'no-store' })
    }
    // Progress informs: what a slow reader has not read yet need not be told again.
    if (line.type === 'progress' && response.writableNeedDrain) return
    response.write(`${JSON.stringify(line)}\n`)
  }
  const heartbeat = setInterval(() => write({ type: 'progress', ...last }), HEARTBEAT_MS)
  try {
    const result = await work(
      (progress) => {
        last = { bytes: progress.bytes, total: progress.total }
        write({ type: 'progress', ...last })
      },
      (wait) => write({ type: 'wait', ...wait }),
    )
    write({ type: 'done', result })
  } catch (error) {
    if (!response.headersSent || signal.aborted) throw error
    write({ type: 'error', error: errorBody(error, id) })
    // It is told; whoever keeps the log hears of it too.
    response.end()
    throw error
  } finally {
    clearInterval(heartbeat)
  }
  response.end()
  return undefined
}
