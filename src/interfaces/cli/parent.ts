/**
 * Questions of a node that was started in the background to the process that started it, which has the terminal. They
 * go over the pipe between the two: no secret is in an argument, in the environment or in a file.
 */

/** What can be asked for: what opens the keys, what opens the backups. */
export type Question = 'passphrase' | 'backup'

/** From the node. */
export interface Wants {
  readonly wants: Question
  /** What was given before does not open them. */
  readonly wrong: boolean
}

/** To the node; without `secret`: nobody can be asked. */
export interface Given {
  readonly given: Question
  readonly secret?: string
}

/** Milliseconds that a person has to find and type 24 words. */
const PERSON_MS = 600_000

/** What a person at the other process's terminal says; undefined: nobody does. */
export function askParent(wants: Question, wrong: boolean): Promise<string | undefined> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) return resolve(undefined)
    const end = (secret?: string): void => {
      clearTimeout(timer)
      process.off('message', heard)
      process.off('disconnect', end)
      resolve(secret)
    }
    const heard = (message: Partial<Given>): void => {
      if (message.given === wants) end(message.secret)
    }
    const timer = setTimeout(end, PERSON_MS)
    process.on('message', heard)
    process.once('disconnect', end)
    process.send({ wants, wrong } satisfies Wants)
  })
}
