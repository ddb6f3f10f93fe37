/** What a person types while a command runs, or a script sends: codes, words, passphrases, a yes. */
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { interfaceError } from '../errors.ts'
import type { Session } from './session.ts'
import type { Input } from './terminal.ts'

/** Bytes of standard input that are a secret: a code with white space, 24 words with numbers. */
const MAX_INPUT_BYTES = 8192

/** Whether somebody sits there who can be asked. */
export function canAsk({ terminal }: Session): boolean {
  return terminal.input?.isTTY === true && terminal.err.isTTY === true
}

/**
 * A line that is typed at the terminal.
 *
 * @param options.hidden - it is not shown
 * @throws INTERRUPTED
 */
export function ask(
  session: Session,
  question: string,
  { hidden = false }: { readonly hidden?: boolean } = {},
): Promise<string> {
  const { terminal, signal } = session
  const input = terminal.input as Input
  return new Promise((resolve, reject) => {
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
    const lines = createInterface({ input, output: nowhere, terminal: hidden })
    // Afterwards: what is typed as soon as it is seen is hidden already.
    terminal.err.write(question)
    let answer: string | undefined
    const aborted = (): void => lines.close()
    lines.on('line', (line) => {
      answer = line
      lines.close()
    })
    // A terminal without echo gives Ctrl-C as a letter.
    lines.on('SIGINT', aborted)
    lines.on('close', () => {
      signal.removeEventListener('abort', aborted)
      input.pause()
      if (hidden) terminal.err.write('\n')
      if (answer === undefined) reject(interfaceError('INTERRUPTED'))
      else resolve(answer)
    })
    signal.addEventListener('abort', aborted)
    if (signal.aborted) lines.close()
  })
}

/** All of standard input. @throws USAGE when it is longer than any secret, or empty */
export async function readInput({ terminal, signal }: Session, what: string): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  const { input } = terminal
  const aborted = (): void => void (input as { destroy?: () => void } | undefined)?.destroy?.()
  signal.addEventListener('abort', aborted)
  try {
    for await (const chunk of input ?? []) {
      const part = Buffer.from(chunk)
      bytes += part.length
      if (bytes > MAX_INPUT_BYTES) {
        throw interfaceError('USAGE', { why: `Standard input is too long for ${what}.` })
      }
      chunks.push(part)
    }
  } finally {
    signal.removeEventListener('abort', aborted)
  }
  if (signal.aborted) throw interfaceError('INTERRUPTED')
  const text = Buffer.concat(chunks).toString('utf8').trim()
  if (text === '') {
    throw interfaceError('USAGE', { why: `Standard input is empty; it has to hold ${what}.` })
  }
  return text
}

/** A secret: asked for at a terminal, else all of standard input. */
export function secretFrom(
  session: Session,
  { what, question, hidden = false }: { what: string; question: string; hidden?: boolean },
): Promise<string> {
  return canAsk(session) ? ask(session, question, { hidden }) : readInput(session, what)
}

/**
 * Lets a person decide; a script says `--yes`.
 *
 * @throws USAGE without a terminal and without `yes`; INTERRUPTED when the answer is no
 */
export async function confirm(session: Session, words: string, yes: boolean): Promise<void> {
  if (yes) return
  if (!canAsk(session)) {
    throw interfaceError('USAGE', { why: `${words} Nobody can be asked here; say --yes to do it.` })
  }
  const answer = await ask(session, `${words}\nType "yes" to go on: `)
  if (!/^y(es)?$/i.test(answer.trim())) throw interfaceError('NOT_AGREED')
}
