/**
 * The answering side of one stream. Blocks are read ahead of what is being sent, in the order of the wants; what
 * is not here is said as soon as that is known, between two blocks.
 *
 * Bounded: wants that are open, blocks and bytes that are ready, reads at a time (shared by all streams),
 * questions per second, and the time that the other side may leave its bytes unread. Nothing is read for a
 * reader that does not read.
 */
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import type { Clock } from '../../common/clock.ts'
import { SHA2_256 } from '../../common/dag-cbor.ts'
import { KIB, MAX_CONTENT_BLOCK_BYTES, MIB } from '../../common/limits.ts'
import { drained, onBytes, type TransferStream } from './channel.ts'
import { transferError } from './errors.ts'
import { createFrameReader } from './frame-reader.ts'
import type { Budget, Semaphore, TokenBucket } from './limits.ts'
import {
  CARRIED_CODECS,
  decodeMessage,
  encodeBlockHeader,
  encodeMessage,
  FRAME,
  type Held,
  MAX_WANTS_OPEN,
} from './messages.ts'

/** Blocks of one stream that are being read or wait to be sent. */
const READ_AHEAD_BLOCKS = 8
/** Bytes of one stream that wait to be sent; one block may go beyond. */
const READ_AHEAD_BYTES: number = 4 * MIB
/** Questions `have` of one stream that wait for their answer. */
const MAX_QUESTIONS_OPEN = 16
/** Bytes given to the stream at a time: one frame of the muxer, so that others find their turn in between. */
const SLICE_BYTES: number = 256 * KIB
/** The first slice carries the header of the block and is copied for that, so it is small. */
const FIRST_SLICE_BYTES: number = 4 * KIB
/** Milliseconds in which a slice must leave this node. */
export const UNREAD_MS = 60_000

export interface ServerComponents {
  /** The bytes of a block that is here; undefined when it is not, or cannot be read. */
  read(cid: CID): Promise<Uint8Array | undefined>
  holds(root: CID): Promise<Held>
  clock: Clock
  /** Shared by all streams. */
  reads: Semaphore
  ready: Budget
  upload: TokenBucket
  /** Of the device that asks. */
  questions: TokenBucket
  onSent(bytes: number): void
}

interface Slot {
  readonly id: number
  readonly cid: CID
  cancelled: boolean
  done: boolean
  block: Uint8Array | undefined
}

/** Serves `stream` until it ends; resolves then, rejects with a transfer error when the other side broke a rule. */
export async function serveStream(
  stream: TransferStream,
  components: ServerComponents,
  { peer, unreadMs = UNREAD_MS }: { peer: string; unreadMs?: number },
): Promise<void> {
  const { read, holds, clock, reads, ready, upload, questions, onSent } = components
  const ended = new AbortController()
  const wanted: Slot[] = []
  const ahead: Slot[] = []
  const control: { readonly frame: Uint8Array; sent(): void }[] = []
  let aheadBytes = 0
  let openQuestions = 0
  let reading = false
  let fault: unknown
  let noMore = false
  let wake: (() => void) | undefined

  const signal = (): void => {
    wake?.()
    wake = undefined
  }
  const end = (error?: unknown): void => {
    if (ended.signal.aborted) return
    fault = error
    ended.abort(error ?? transferError('SOURCE_GONE', { peer }))
    // At once: a reader that does not read would hold the writing side until its time is over.
    if (error instanceof Error && stream.status === 'open') stream.abort(error)
    signal()
  }
  /** A want is open until its answer has left: who asks and does not read must not fill the memory. */
  let unsent = 0
  const none = (ids: number[], why: 'missing' | 'cancelled'): void => {
    unsent += ids.length
    control.push({
      frame: encodeMessage(FRAME.none, { ids, why }),
      sent: () => {
        unsent -= ids.length
      },
    })
    signal()
  }

  const fill = async (): Promise<void> => {
    if (reading) return
    reading = true
    try {
      while (wanted.length > 0 && !ended.signal.aborted && mayReadAhead()) {
        const slot = wanted.shift()
        if (slot === undefined) break
        ahead.push(slot)
        await questions.take(1, ended.signal)
        const leave = await reads.enter()
        void load(slot).finally(leave)
      }
    } catch {
      // Only the end of the stream stops the bucket.
    } finally {
      reading = false
    }
  }
  const mayReadAhead = (): boolean =>
    ahead.length === 0 ||
    (ahead.length < READ_AHEAD_BLOCKS && aheadBytes < READ_AHEAD_BYTES && !ready.full)

  const load = async (slot: Slot): Promise<void> => {
    const block = slot.cancelled || ended.signal.aborted ? undefined : await read(slot.cid)
    slot.done = true
    if (block !== undefined && !ended.signal.aborted && block.length <= MAX_CONTENT_BLOCK_BYTES) {
      slot.block = block
      aheadBytes += block.length
      ready.hold(block.length)
      return signal()
    }
    ahead.splice(ahead.indexOf(slot), 1)
    none([slot.id], slot.cancelled ? 'cancelled' : 'missing')
    void fill()
  }

  const ask = (payload: Uint8Array): void => {
    const { wants } = decodeMessage(FRAME.want, payload)
    if (wanted.length + ahead.length + unsent + wants.length > MAX_WANTS_OPEN) {
      throw transferError('TOO_MANY_WANTS', { peer, most: MAX_WANTS_OPEN })
    }
    const unknown: number[] = []
    for (const { id, codec, digest } of wants) {
      if (!CARRIED_CODECS.includes(codec)) unknown.push(id)
      else wanted.push({ id, cid: cidOf(codec, digest), ...FRESH })
    }
    if (unknown.length > 0) none(unknown, 'missing')
    void fill()
  }

  const cancel = (payload: Uint8Array): void => {
    const ids = new Set(decodeMessage(FRAME.cancel, payload).ids)
    const dropped: number[] = []
    for (const slot of [...wanted]) {
      if (!ids.has(slot.id)) continue
      wanted.splice(wanted.indexOf(slot), 1)
      dropped.push(slot.id)
    }
    for (const slot of ahead) if (ids.has(slot.id)) slot.cancelled = true
    if (dropped.length > 0) none(dropped, 'cancelled')
  }

  const answer = async (payload: Uint8Array): Promise<void> => {
    const { id, roots } = decodeMessage(FRAME.have, payload)
    if (openQuestions >= MAX_QUESTIONS_OPEN) {
      throw transferError('TOO_MANY_WANTS', { peer, most: MAX_QUESTIONS_OPEN })
    }
    openQuestions += 1
    const answered = (): void => {
      openQuestions -= 1
    }
    try {
      await questions.take(roots.length, ended.signal)
      const held: Held[] = []
      for (const { codec, digest } of roots) {
        held.push(CARRIED_CODECS.includes(codec) ? await holds(cidOf(codec, digest)) : 'none')
      }
      control.push({ frame: encodeMessage(FRAME.holds, { id, held }), sent: answered })
      signal()
    } catch (error) {
      answered()
      throw error
    }
  }

  const reader = createFrameReader([FRAME.want, FRAME.cancel, FRAME.have], {
    control: (kind, payload) => {
      if (kind === FRAME.want) ask(payload)
      else if (kind === FRAME.cancel) cancel(payload)
      else void answer(payload).catch(end)
    },
    blockBegins: () => new Uint8Array(0),
    blockGrows: () => {},
    blockEnds: () => {},
    tooLarge: (bytes, most) => {
      throw transferError('FRAME_TOO_LARGE', { peer, bytes, most })
    },
    invalid: (why) => {
      throw transferError('FRAME_INVALID', { peer, why })
    },
  })

  const put = async (bytes: Uint8Array): Promise<void> => {
    if (ended.signal.aborted) return
    if (stream.send(bytes)) return
    const late = clock.after(unreadMs, () => {
      end(transferError('READER_STALLED', { peer, seconds: unreadMs / 1000 }))
      stream.abort(new Error('nothing was read'))
    })
    try {
      await drained(stream)
    } finally {
      late()
    }
  }

  const putBlock = async (id: number, block: Uint8Array): Promise<void> => {
    await upload.take(block.length, ended.signal)
    const header = encodeBlockHeader(id, block.length)
    const first = new Uint8Array(header.length + Math.min(FIRST_SLICE_BYTES, block.length))
    first.set(header)
    first.set(block.subarray(0, FIRST_SLICE_BYTES), header.length)
    await put(first)
    for (let at = FIRST_SLICE_BYTES; at < block.length; at += SLICE_BYTES) {
      await put(block.subarray(at, at + SLICE_BYTES))
    }
    onSent(block.length)
  }

  const free = (slot: Slot): void => {
    aheadBytes -= slot.block?.length ?? 0
    ready.free(slot.block?.length ?? 0)
    slot.block = undefined
  }

  onBytes(stream, (bytes) => {
    if (ended.signal.aborted) return
    try {
      reader.push(bytes)
    } catch (error) {
      end(error)
    }
  })
  stream.addEventListener('close', () => end())
  stream.addEventListener('remoteCloseWrite', () => {
    noMore = true
    signal()
  })

  try {
    while (!ended.signal.aborted) {
      const message = control.shift()
      if (message !== undefined) {
        // Before it is on its way: the other side may ask again as soon as it has it.
        message.sent()
        await put(message.frame)
        continue
      }
      const slot = ahead[0]
      if (slot?.done === true) {
        ahead.shift()
        void fill()
        if (slot.cancelled) none([slot.id], 'cancelled')
        else if (slot.block !== undefined) await putBlock(slot.id, slot.block)
        free(slot)
        void fill()
        continue
      }
      if (noMore && wanted.length + ahead.length + openQuestions === 0) break
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  } catch (error) {
    end(error)
  } finally {
    for (const slot of ahead) free(slot)
  }
  if (fault !== undefined) {
    const error = fault instanceof Error ? fault : new Error('the stream broke')
    if (stream.status === 'open') stream.abort(error)
    throw error
  }
  if (stream.status === 'open') await stream.close().catch((error: Error) => stream.abort(error))
}

const FRESH = { cancelled: false, done: false, block: undefined }

function cidOf(codec: number, digest: Uint8Array): CID {
  return CID.createV1(codec, createDigest(SHA2_256, digest))
}
