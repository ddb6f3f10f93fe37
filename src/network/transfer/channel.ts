/**
 * The little that the protocol needs of a libp2p stream, and the one way it is written to.
 *
 * `Stream.onDrain` of libp2p 3 gives a promise that stays resolved after the first drain, so the events are
 * used here.
 */
export interface TransferStream {
  readonly status: string
  readonly writableNeedsDrain: boolean
  send(data: Uint8Array): boolean
  close(options?: { signal?: AbortSignal }): Promise<void>
  abort(error: Error): void
  addEventListener(
    type: 'message',
    listener: (event: { data: Uint8Array | Iterable<Uint8Array> }) => void,
  ): void
  addEventListener(type: 'close' | 'drain' | 'remoteCloseWrite', listener: () => void): void
  removeEventListener(type: 'close' | 'drain', listener: () => void): void
}

/** Calls `take` for each piece of bytes that comes. */
export function onBytes(stream: TransferStream, take: (bytes: Uint8Array) => void): void {
  stream.addEventListener('message', ({ data }) => {
    if (data instanceof Uint8Array) take(data)
    else for (const piece of data) take(piece)
  })
}

/** Resolves when the stream takes bytes again or has ended. */
export function drained(stream: TransferStream): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      stream.removeEventListener('drain', end)
      stream.removeEventListener('close', end)
      resolve()
    }
    if (!stream.writableNeedsDrain || stream.status !== 'open') return resolve()
    stream.addEventListener('drain', end)
    stream.addEventListener('close', end)
  })
}
