/** `backup` and what stands under it, by the running node. */
import { count } from '../../../common/plural.ts'
import type { SaveOutcome } from '../../../services/backup/backups.ts'
import type { Problem } from '../../../services/backup/catalog.ts'
import type { Drilled } from '../../../services/backup/drill.ts'
import type { ContentsView } from '../../../services/backup/overview.ts'
import type { Cleaned } from '../../../services/backup/retention.ts'
import type { Verified } from '../../../services/backup/verify.ts'
import { EXIT } from '../../error-codes.ts'
import { interfaceError } from '../../errors.ts'
import type { BackupView, FullStatus } from '../../http/api.ts'
import { backupsText, contentsText } from '../backups-text.ts'
import { Done } from '../done.ts'
import { printable, size, table, time } from '../format.ts'
import { newPassphrase } from '../passphrase.ts'
import type { Options } from '../register.ts'
import type { Session } from '../session.ts'

/** What a device without the key says of what it verified. */
const NOT_OPENED =
  '  NOT CHECKED: that it opens, and what is in it. This device has no key of the backups; do it on the one that has the recovery kit: cairn backup verify'
/** A destination may be slow, and a restore for practice large. */
const PATIENT = { answerMs: Number.POSITIVE_INFINITY }

export async function overview(session: Session): Promise<void> {
  const client = await session.node()
  const { backups } = await client.get<FullStatus>('/api/v1/status', {}, session.signal)
  session.result(backups, () => backupsText(backups))
}

export async function create(session: Session, options: Options): Promise<void> {
  const client = await session.node()
  const json = {
    name: String(options.name),
    ...(typeof options.to === 'string' ? { destination: options.to } : {}),
    ...(options.full === true ? { full: true } : {}),
  }
  const made = await client.call<{ outcomes: SaveOutcome[] }>(
    'POST',
    '/api/v1/backups',
    { json, ...PATIENT },
    session.signal,
  )
  session.result(made, () =>
    made.outcomes
      .map(({ destination, saved, problem }) =>
        problem === undefined
          ? `${destination}: backup ${saved?.number} "${printable(saved?.name ?? '')}", ${size(saved?.size ?? 0)}, ${count(saved?.height ?? 0, 'block')}${placeText(saved)}`
          : `${destination}: FAILED: ${printable(problem.message)}`,
      )
      .join('\n'),
  )
  endIf(made.outcomes.some(({ problem }) => problem !== undefined))
}

/** Where IPFS has what a restore begins from. */
const placeText = (saved: SaveOutcome['saved']): string =>
  saved?.place === undefined ? '' : `\n  CID: ${saved.place.cid}\n  View at: ${saved.place.link}`

export async function list(session: Session): Promise<void> {
  const client = await session.node()
  const found = await client.call<{
    items: BackupView[]
    problems: Problem[]
    contents: ContentsView[]
  }>('GET', '/api/v1/backups', PATIENT, session.signal)
  session.result(found, () => {
    const rows = found.items.map((one) => [
      printable(one.id),
      time(one.time),
      printable(one.name),
      size(one.size),
      String(one.height),
      printable(one.device),
      one.destination,
      one.kind === 'ipfs' ? one.cid : one.object.slice(one.object.lastIndexOf('/') + 1),
    ])
    const shown =
      rows.length === 0
        ? noneText(found.problems)
        : table(['id', 'made', 'name', 'size', 'block', 'by', 'at', 'object or CID'], rows)
    const contents = found.contents.map((one) => contentsText(one.destination, one))
    return [shown, ...contents, ...found.problems.map(problemText)].join('\n')
  })
  endIf(found.items.length === 0 && found.problems.length > 0)
}

const noneText = (problems: readonly Problem[]): string =>
  problems.length === 0
    ? 'no backups yet; make one with: cairn backup create'
    : 'no backup could be read'

export async function verify(session: Session, id: string | undefined): Promise<void> {
  const path = `/api/v1/backups/${encodeURIComponent(id ?? 'newest')}/verify`
  await each<Verified>(session, path, undefined, (one) => {
    const { destination, name, height, objects, bytes, opened, contents, problems } = one
    const how = opened ? 'read, opened and hashed' : 'read and compared with what was written'
    const head = `${destination}: "${printable(name)}" of block ${height}: ${count(objects, 'object')}, ${size(bytes)}, ${how}`
    const found = problems.map(problemText)
    const left = opened ? [] : [NOT_OPENED]
    const more = contents === undefined ? [] : [contentsOf(destination, contents)]
    return { ok: problems.length === 0, text: [head, ...left, ...more, ...found].join('\n') }
  })
}

const contentsOf = (
  destination: string,
  { packs, bytes, read }: NonNullable<Verified['contents']>,
): string =>
  `${destination}: contents of files: ${count(packs, 'object')}, ${size(bytes)}; ${read} of them read`

export async function drill(session: Session, destination: string | undefined): Promise<void> {
  await each<Drilled>(session, '/api/v1/backups/drill', destination, (one) => ({
    ok: true,
    text: `${one.destination}: ${count(one.height, 'block')} came back in ${one.milliseconds} ms and are the same as here${one.behind > 0 ? `; ${count(one.behind, 'block')} newer here` : ''}${one.contents === undefined ? '' : `; ${count(one.contents.files, 'file')} put together from ${size(one.contents.bytes)}`}`,
  }))
}

export async function prune(session: Session, destination: string | undefined): Promise<void> {
  await each<Cleaned & { destination: string }>(
    session,
    '/api/v1/backups/prune',
    destination,
    (one) => ({
      ok: true,
      text:
        one.permanent === true
          ? `${one.destination}: nothing is ever removed there; ${count(one.kept, 'backup')} there`
          : `${one.destination}: removed ${count(one.backups, 'old backup')} and ${count(one.objects, 'object')}; kept ${one.kept}`,
    }),
  )
}

async function each<T extends object>(
  session: Session,
  path: string,
  destination: string | undefined,
  tell: (one: T) => { ok: boolean; text: string },
): Promise<void> {
  const client = await session.node()
  const json = destination === undefined ? {} : { destination }
  const options = path.endsWith('/verify') ? PATIENT : { json, ...PATIENT }
  const found = await client.call<{ items: (T | Problem)[] }>('POST', path, options, session.signal)
  const told = found.items.map((one) =>
    'code' in one && 'message' in one
      ? { ok: false, text: problemText(one as Problem) }
      : tell(one as T),
  )
  session.result(found, () => told.map(({ text }) => text).join('\n'))
  endIf(told.some(({ ok }) => !ok))
}

const problemText = ({ destination, object, message }: Problem): string =>
  `! ${destination}${object === '' ? '' : ` ${object}`}: ${printable(message)}`

function endIf(failed: boolean): void {
  if (failed) throw new Done(EXIT.failed)
}

export async function key(session: Session, options: Options): Promise<void> {
  const show = options.show === true
  const isTerminal = (session.terminal.out as { isTTY?: boolean }).isTTY === true
  if (show && options.yes !== true && !isTerminal) {
    throw interfaceError('USAGE', {
      why: 'Whoever has this key can read all backups. Run it on a terminal, or say --yes.',
    })
  }
  const client = await session.node()
  const found = await client.call<{ identity: string; recipient: string }>(
    'POST',
    '/api/v1/backups/key',
    {},
    session.signal,
  )
  const { recipient, identity } = found
  session.result(show ? found : { recipient }, () =>
    show
      ? `# public key: ${recipient}\n${identity}`
      : `backups are encrypted for ${recipient}; it follows from the recovery kit. See it with: cairn backup key show`,
  )
}

export async function passphrase(session: Session, options: Options): Promise<void> {
  const client = await session.node()
  const json = { passphrase: await newPassphrase({ ...session, environment: {} }, options) }
  const done = await client.call<{ problems: Problem[] }>(
    'PUT',
    '/api/v1/backups/passphrase',
    { json, ...PATIENT },
    session.signal,
  )
  session.result(done, () =>
    [
      'The passphrase opens the backups, together with the destination. Set it as CAIRN_BACKUP_PASSPHRASE where a deploy wipes the disk.',
      ...done.problems.map(problemText),
    ].join('\n'),
  )
  endIf(done.problems.length > 0)
}
