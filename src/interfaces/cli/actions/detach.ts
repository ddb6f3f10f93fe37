/** `start --detach`: a node that outlives this terminal. */
import { spawn } from 'node:child_process'
import { openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CairnError, messageOf } from '../../../common/errors.ts'
import { makeDirectory } from '../../../storage/atomic-file.ts'
import { storageError } from '../../../storage/errors.ts'
import { EXIT, type ExitCode } from '../../error-codes.ts'
import { interfaceError } from '../../errors.ts'
import { backupSecretAsker } from '../backup-options.ts'
import { Done } from '../done.ts'
import { fields } from '../format.ts'
import { NODE_FLAGS } from '../node-flags.ts'
import type { Given, Question, Wants } from '../parent.ts'
import { passphraseForStart } from '../passphrase.ts'
import type { Options } from '../register.ts'
import type { Session } from '../session.ts'
import {
  foundedText,
  type Prelude,
  restoredText,
  STRANGER_TEXT,
  type StartDocument,
} from '../start-text.ts'

/** Milliseconds for the start; joining a network waits for a peer. */
const START_MS = 60_000

/**
 * @param args - of the command line that the new process runs
 * @param prelude - what the calling command has to say before
 */
export async function startDetached(
  session: Session,
  args: readonly string[],
  options: Options,
  prelude: Prelude = { document: {}, text: '' },
): Promise<void> {
  const { dataDir, signal } = session
  const folder = join(dataDir, 'logs')
  const path = join(folder, 'start.log')
  let output: number
  try {
    makeDirectory(dataDir)
    makeDirectory(folder)
    output = openSync(path, 'w', 0o600)
  } catch (error) {
    if (error instanceof CairnError) throw error
    throw storageError(
      'DATA_DIRECTORY_NOT_WRITABLE',
      { path: dataDir, reason: messageOf(error) },
      error,
    )
  }
  const [, script = ''] = process.argv
  const ended = new AbortController()
  const asking = { ...session, environment: {}, signal: AbortSignal.any([signal, ended.signal]) }
  const questions: Readonly<Record<Question, (wrong: boolean) => Promise<string | undefined>>> = {
    passphrase: passphraseForStart(asking, options),
    backup: backupSecretAsker(asking),
  }
  const child = spawn(
    process.execPath,
    [
      ...new Set([...process.execArgv, ...NODE_FLAGS]),
      script,
      ...args.filter((arg) => arg !== '--detach'),
    ],
    {
      detached: true,
      stdio: ['ignore', output, output, 'ipc'],
      env: { ...process.env, CAIRN_DETACHED: '1' },
    },
  )
  const ready = await new Promise<StartDocument>((resolve, reject) => {
    const late = (): void => {
      release()
      reject(
        interfaceError('NODE_START', {
          why: `it has not served within ${START_MS / 1000} seconds and goes on trying (process ${child.pid}). See ${path}`,
        }),
      )
    }
    let timer = setTimeout(late, START_MS)
    const release = (): void => {
      clearTimeout(timer)
      ended.abort()
      signal.removeEventListener('abort', aborted)
      if (child.connected) child.disconnect()
      child.unref()
    }
    const aborted = (): void => {
      child.kill('SIGTERM')
      release()
      reject(interfaceError('INTERRUPTED'))
    }
    signal.addEventListener('abort', aborted)
    const answer = async ({ wants, wrong }: Wants): Promise<void> => {
      // Nobody is hurried while they type.
      clearTimeout(timer)
      const secret = await questions[wants](wrong)
      if (ended.signal.aborted) return
      timer = setTimeout(late, START_MS)
      const given: Given = { given: wants, ...(secret === undefined ? {} : { secret }) }
      if (child.connected) child.send(given)
    }
    child.on('message', (message: { ready?: StartDocument } & Partial<Wants>) => {
      const { wants, wrong = false } = message
      if (wants !== undefined) answer({ wants, wrong }).catch(aborted)
      if (message.ready === undefined) return
      release()
      resolve(message.ready)
    })
    child.on('error', (error) => {
      release()
      reject(interfaceError('NODE_START', { why: messageOf(error) }, error))
    })
    child.on('exit', (code) => {
      release()
      const said = readFileSync(path, 'utf8')
      // What the node said is the answer: the same words and the same code as in the foreground.
      if (said !== '') session.terminal[session.json ? 'out' : 'err'].write(said)
      reject(new Done(isExit(code) ? code : EXIT.failed))
    })
  })
  session.result({ ...ready, ...prelude.document }, () => {
    const places = fields([
      ['  data', dataDir],
      ['  API', ready.api],
      ['  gateway', ready.gateway ?? undefined],
      ['  log', ready.log ?? undefined],
    ])
    const founded = ready.founded ? `\n\n${foundedText(ready.network, options.open === true)}` : ''
    const restored = ready.restored === null ? '' : `\n\n${restoredText(ready.restored)}`
    // Who was let in just now knows it before the records that say so are here.
    const joined = prelude.document.joined !== undefined
    const stranger = ready.user === null && !joined ? `\n\n${STRANGER_TEXT}` : ''
    const before = prelude.text === '' ? '' : `${prelude.text}\n\n`
    return `${before}Cairn ${ready.version} runs in the background (process ${ready.pid}).\n\n${places}${founded}${restored}${stranger}\n\nStop it with: cairn stop`
  })
}

function isExit(code: number | null): code is ExitCode {
  return Object.values(EXIT).some((known) => known === code && known !== EXIT.done)
}
