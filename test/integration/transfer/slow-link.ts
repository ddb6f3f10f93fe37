/** A TCP proxy that lets only so many bytes per second through, each way, and holds no more than a router does. */
import { createServer, connect as dial, type Socket } from 'node:net'

const TICK_MS = 10
/** Bytes that wait in the proxy in one direction. */
const QUEUE_BYTES = 128 * 1024

export interface SlowLink {
  readonly port: number
  close(): Promise<void>
}

export function startSlowLink(target: number, bytesPerSecond: number): Promise<SlowLink> {
  const sockets = new Set<Socket>()
  const timers = new Set<NodeJS.Timeout>()
  const carry = (from: Socket, to: Socket): void => {
    const queue: Buffer[] = []
    let queued = 0
    from.on('data', (chunk) => {
      queue.push(chunk)
      queued += chunk.length
      if (queued > QUEUE_BYTES) from.pause()
    })
    const timer = setInterval(() => {
      let room = (bytesPerSecond * TICK_MS) / 1000
      while (room > 0) {
        const chunk = queue.shift()
        if (chunk === undefined) break
        const part = chunk.subarray(0, room)
        if (part.length < chunk.length) queue.unshift(chunk.subarray(room))
        to.write(part)
        room -= part.length
        queued -= part.length
      }
      if (queued <= QUEUE_BYTES) from.resume()
    }, TICK_MS)
    timers.add(timer)
    from.on('close', () => to.destroy())
    from.on('error', () => {})
  }
  const server = createServer((near) => {
    const far = dial(target, '127.0.0.1')
    sockets.add(near).add(far)
    carry(near, far)
    carry(far, near)
  })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : 0,
        close: async () => {
          for (const timer of timers) clearInterval(timer)
          for (const socket of sockets) socket.destroy()
          await new Promise<void>((done) => server.close(() => done()))
        },
      })
    })
  })
}
