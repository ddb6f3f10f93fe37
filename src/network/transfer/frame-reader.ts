/**
 * Cuts what a stream brings into frames. Pure but for what its sink does. The bytes of a block are copied
 * once, into the buffer that the sink gives; a length is checked before anything is allocated for it.
 *
 * owns: the form of frames and their limits
 * does not own: what a frame means, or whether a block is the right one
 */
import {
  BLOCK_ID_BYTES,
  type ControlKind,
  FRAME,
  FRAME_HEADER_BYTES,
  MAX_BLOCK_PAYLOAD_BYTES,
  MAX_CONTROL_BYTES,
} from './messages.ts'

export interface FrameSink {
  /** A whole control message; `payload` may be kept. */
  control(kind: ControlKind, payload: Uint8Array): void
  /** The buffer of `length` bytes for the block that answers want `id`. */
  blockBegins(id: number, length: number): Uint8Array
  /** `bytes` more of the block that is being received are here. */
  blockGrows(bytes: number): void
  /** The buffer is full. */
  blockEnds(id: number, block: Uint8Array): void
  /** Throws: the stream cannot be read further. */
  tooLarge(bytes: number, most: number): never
  invalid(why: string): never
}

export interface FrameReader {
  push(chunk: Uint8Array): void
}

/** @param accepts - the kinds that this side takes */
export function createFrameReader(accepts: readonly number[], sink: FrameSink): FrameReader {
  const head = new Uint8Array(FRAME_HEADER_BYTES + BLOCK_ID_BYTES)
  const view = new DataView(head.buffer)
  let headFilled = 0
  let kind = 0
  let id = 0
  let body: Uint8Array | undefined
  let bodyFilled = 0

  const headWanted = (): number =>
    headFilled > 0 && head[0] === FRAME.block ? head.length : FRAME_HEADER_BYTES

  const begin = (): Uint8Array => {
    kind = head[0] ?? 0
    const length = view.getUint32(1)
    if (kind !== FRAME.block) {
      if (length > MAX_CONTROL_BYTES) sink.tooLarge(length, MAX_CONTROL_BYTES)
      return new Uint8Array(length)
    }
    if (length > MAX_BLOCK_PAYLOAD_BYTES) sink.tooLarge(length, MAX_BLOCK_PAYLOAD_BYTES)
    if (length < BLOCK_ID_BYTES) sink.invalid('a block without an id')
    id = view.getUint32(FRAME_HEADER_BYTES)
    return sink.blockBegins(id, length - BLOCK_ID_BYTES)
  }

  const end = (bytes: Uint8Array): void => {
    headFilled = 0
    bodyFilled = 0
    body = undefined
    if (kind === FRAME.block) sink.blockEnds(id, bytes)
    else sink.control(kind as ControlKind, bytes)
  }

  return {
    push: (chunk) => {
      let offset = 0
      while (offset < chunk.length) {
        if (body === undefined) {
          head[headFilled] = chunk[offset] ?? 0
          headFilled += 1
          offset += 1
          if (headFilled === 1 && !accepts.includes(head[0] ?? 0)) {
            sink.invalid('a frame of a kind that is not taken here')
          }
          if (headFilled < headWanted()) continue
          body = begin()
        } else {
          const part = Math.min(chunk.length - offset, body.length - bodyFilled)
          body.set(chunk.subarray(offset, offset + part), bodyFilled)
          bodyFilled += part
          offset += part
          if (kind === FRAME.block) sink.blockGrows(part)
        }
        if (body !== undefined && bodyFilled === body.length) end(body)
      }
    },
  }
}
