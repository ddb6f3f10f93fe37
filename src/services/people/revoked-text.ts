/** That this device was revoked, and in words. */
import type { DeviceId } from '../../chain/ids.ts'

/** That this device was revoked. */
export interface OwnRevocation {
  /** The device that revoked it; `name` null: not known here. */
  readonly by: { readonly device: DeviceId; readonly name: string | null }
  /** By the clock of that device, milliseconds UTC. */
  readonly time: number
  readonly reason: string
  /** With the recovery kit. */
  readonly byRecovery: boolean
}

/** What the person at a revoked device has to know. */
export function revokedText({ by, time, reason, byRecovery }: OwnRevocation): string {
  const who = byRecovery ? 'with the recovery kit, on' : 'by'
  const name = by.name === null ? `the device ${by.device}` : `"${by.name}"`
  const why = reason === '' ? '' : `, because: ${reason}`
  return `This device was revoked ${who} ${name} at ${new Date(time).toISOString()}${why}. The others exchange nothing with it any more, and what is stated here reaches nobody. What is stored on it stays. To take part again with this machine, let another device of yours invite it ("cairn invite --device") and join in an empty directory: cairn --data-dir DIR join CODE`
}
