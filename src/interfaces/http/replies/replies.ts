/** All schemas of answers, by the names that routes call them by. */
import { backupReplies } from './backups.ts'
import { chainReplies } from './chain.ts'
import { list, nullable, type ReplySchema, ref, text, words } from './describe.ts'
import { fileReplies } from './files.ts'
import { eventReplies, nodeReplies, progressReplies } from './node.ts'

const NAMED = { ...nodeReplies, ...fileReplies, ...chainReplies, ...backupReplies }

export type ReplyName = keyof typeof NAMED
/** One thing; or a list `{items}`; or a page of one, `{items, next}`. */
export type Reply = ReplyName | { readonly items: ReplyName; readonly next?: true }

/** The components of the document: named answers, lines of progress, and `Event:<name>` for each event. */
export function replyComponents(): Record<string, ReplySchema> {
  const events = Object.entries(eventReplies).map(([name, schema]) => [eventName(name), schema])
  return { ...NAMED, ...progressReplies, ...Object.fromEntries(events) }
}

export function replySchema(reply: Reply): ReplySchema {
  if (typeof reply === 'string') return ref(reply)
  const properties = { items: list(ref(reply.items)) }
  return reply.next === true
    ? {
        type: 'object',
        properties: { ...properties, next: nullable(text) },
        required: ['items', 'next'],
      }
    : { type: 'object', properties, required: ['items'] }
}

/** One line of an answer that ends in `result`. */
export function lineSchema(result: ReplySchema): ReplySchema {
  const done: ReplySchema = {
    type: 'object',
    properties: { type: words('done'), result },
    required: ['type', 'result'],
  }
  return { oneOf: [...Object.keys(progressReplies).map(ref), done] }
}

/** The schema of each event's data, by the event's name. */
export function eventSchemas(): Record<string, ReplySchema> {
  return Object.fromEntries(Object.keys(eventReplies).map((name) => [name, ref(eventName(name))]))
}

/** Names of components have letters, digits, dots, hyphens and underscores alone. */
function eventName(name: string): string {
  return `Event.${name.replace(':', '.')}`
}
