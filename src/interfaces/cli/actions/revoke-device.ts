/** `devices revoke`: shuts a device out at once, and then asks about those that it had let in. */
import type { AdmittedDevice, RevokedDevice } from '../../../services/people/devices.ts'
import { segment } from '../../client/segment.ts'
import { printable, time } from '../format.ts'
import { ask, canAsk } from '../input.ts'
import type { Session } from '../session.ts'

interface Options {
  readonly reason?: string
  readonly force?: boolean
  readonly withAdmitted?: boolean
}

export async function revokeDevice(
  session: Session,
  device: string,
  options: Options,
): Promise<RevokedDevice> {
  const client = await session.node()
  const path = `/api/v1/devices/${segment(device)}/revoke`
  const call = (json: Options): Promise<RevokedDevice> =>
    client.call<RevokedDevice>('POST', path, { json }, session.signal)
  const done = await call(options)
  // The revocation never waits for an answer.
  const { identity } = await client.get<{ identity: { device: string } }>(
    '/api/v1/status',
    {},
    session.signal,
  )
  const others = done.admitted.filter((each) => each.device !== identity.device)
  if (options.withAdmitted === true || others.length === 0) return done
  if (session.json || !canAsk(session)) return done
  const words = `${printable(done.name)} is shut out. It had let in devices of yours that still stand:\n${listed(others)}\nType "yes" to shut these out too: `
  // Who leaves here has revoked the one device.
  const answer = await ask(session, words).catch(() => '')
  if (!/^y(es)?$/i.test(answer.trim())) return done
  const more = await call({ ...options, withAdmitted: true })
  return { ...more, record: done.record }
}

export function revokedWords({ name, also, admitted }: RevokedDevice): string {
  const lines = [
    `${printable(name)} is shut out, here at once and everywhere as soon as it is heard of. What it has, it keeps: give files that matter new keys with cairn rekey FILE`,
  ]
  if (also.length > 0) lines.push(`Shut out with it, because it had let them in:\n${listed(also)}`)
  if (admitted.length > 0) {
    lines.push(
      `It had let in these devices of yours, which still stand:\n${listed(admitted)}\nIf somebody else may have done that with it, shut them out too, all but this one: cairn devices revoke ${quoted(name)} --with-admitted`,
    )
  }
  return lines.join('\n')
}

function listed(devices: readonly AdmittedDevice[]): string {
  return devices
    .map(({ device, name, added }) => `  ${printable(name)}  ${device}, since ${time(added)}`)
    .join('\n')
}

function quoted(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : JSON.stringify(printable(name))
}
