/** Answers about the node, its people, devices and peers; errors; lines of progress; events. */
import type { PeersFile } from '../../../network/peers-file.ts'
import type { NodeEvents } from '../../../services/events.ts'
import type { AdmittedDevice, RevokedDevice } from '../../../services/people/devices.ts'
import type { OwnRevocation } from '../../../services/people/revoked-text.ts'
import type { ErrorBody } from '../answer.ts'
import type {
  Alarm,
  Check,
  FullStatus,
  Identity,
  InviteView,
  PeerSummary,
  SeenDevice,
  UserSummary,
} from '../api.ts'
import type { Progress, ReadingWait } from '../api-files.ts'
import {
  anything,
  cid,
  count,
  decimal,
  device,
  flag,
  list,
  nullable,
  number,
  type ObjectReply,
  object,
  ref,
  text,
  time,
  words,
} from './describe.ts'

const named = ref('Named')
const state = ref('RecordState')

const admitted = object<AdmittedDevice>({ device, name: text, added: time })

export const nodeReplies = {
  Error: object<{ error: ErrorBody }>({
    error: object<ErrorBody>({
      code: text,
      message: text,
      details: anything('what the message was made from'),
    }),
  }),
  Health: object<{ status: string }>({ status: words('ok') }),
  Stopping: object<{ stopping: boolean }>({ stopping: flag }),
  Document: anything('OpenAPI 3.1'),
  Alarm: object<Alarm>({ code: text, message: text, time }),
  Status: object<FullStatus>({
    version: text,
    startedAt: time,
    dataDir: text,
    role: words('member', 'backup'),
    identity: object<Identity>({
      network: cid,
      device,
      deviceName: text,
      user: nullable(cid),
      userName: nullable(text),
    }),
    chain: ref('Chain'),
    peers: object<FullStatus['peers']>({ connected: count, known: count }),
    listen: list(text),
    files: object<FullStatus['files']>({
      count,
      bytes: count,
      local: count,
      localBytes: count,
      missing: count,
    }),
    storage: object<FullStatus['storage']>({
      used: count,
      free: nullable(count),
      limit: nullable(count),
    }),
    mining: flag,
    syncing: flag,
    alarms: list(ref('Alarm')),
    pid: count,
    now: time,
    memory: count,
    recovery: ref('Recovery'),
    backups: ref('Backups'),
    revoked: nullable(
      object<OwnRevocation>({
        by: object<OwnRevocation['by']>({ device, name: nullable(text) }),
        time,
        reason: text,
        byRecovery: flag,
      }),
    ),
    urls: object<FullStatus['urls']>({ api: nullable(text), gateway: nullable(text) }),
  }),
  Check: object<Check>({
    name: text,
    result: words('ok', 'warning', 'failed'),
    says: text,
    remedy: nullable(text),
  }),
  User: object<UserSummary>({
    user: cid,
    name: text,
    role: words('admin', 'member', 'backup'),
    self: flag,
    devices: count,
    files: count,
    reputation: count,
    joined: time,
    state,
  }),
  Device: object<SeenDevice>({
    device,
    name: text,
    user: named,
    self: flag,
    role: words('member', 'backup'),
    active: flag,
    connected: flag,
    sequence: count,
    added: time,
    state,
    seen: nullable(time),
  }),
  RevokedDevice: object<RevokedDevice>({
    device,
    name: text,
    record: nullable(cid),
    also: list(admitted),
    admitted: list(admitted),
  }),
  Peer: object<PeerSummary>({
    device,
    name: nullable(text),
    user: nullable(named),
    connected: flag,
    direction: nullable(words('in', 'out')),
    addresses: list(text),
    latencyMs: nullable(number),
    since: nullable(time),
  }),
  PeersFile: object<PeersFile>(
    {
      network: cid,
      parameters: anything("the network's parameters; byte strings hexadecimal"),
      listen: list(text),
      bootstrap: list(text),
      relays: list(text),
      lan: flag,
    },
    'network',
    'parameters',
  ),
  Invite: object<InviteView>({
    invite: cid,
    kind: words<InviteView['kind']>('member', 'admin', 'backup', 'device', 'backup-device'),
    issuer: cid,
    device,
    state: words<InviteView['state']>('open', 'used', 'expired', 'cancelled', 'refused'),
    created: time,
    expires: time,
    usedBy: nullable(device),
    pending: flag,
  }),
  MadeInvite: object<{ code: string; invite: InviteView }>({ code: text, invite: ref('Invite') }),
  Recovery: object<FullStatus['recovery']>({ here: flag, tested: flag }),
  RecoveryWords: object<{ words: readonly string[] }>({ words: list(text) }),
  RecoveryTested: object<{ tested: boolean }>({ tested: flag }),
  Passphrase: object<{ protected: boolean }>({ protected: flag }),
}

/** What an event says, by its name, once it is JSON; `gap`: some are not kept any more, read the lists again. */
type Said<E> = { readonly [K in keyof E]: E[K] } & { readonly time: number }
interface Pending {
  readonly own: boolean
  readonly record: string
  readonly type: string
  readonly device: string
  readonly user: string | null
  readonly sequence: number
}

const block = { block: cid, height: count, time }

export const eventReplies: Readonly<Record<keyof NodeEvents | 'gap', ObjectReply>> = {
  'record:pending': object<Said<Pending>>({
    own: flag,
    record: cid,
    type: text,
    device,
    user: nullable(cid),
    sequence: count,
    time,
  }),
  'record:confirmed': object<Said<NodeEvents['record:confirmed']>>(
    {
      record: cid,
      type: text,
      block: cid,
      height: count,
      visibility: words('public', 'private'),
      time,
    },
    'visibility',
  ),
  'record:adopted': object<Said<NodeEvents['record:adopted']>>({
    record: cid,
    sequence: count,
    time,
  }),
  'record:stranded': object<Said<NodeEvents['record:stranded']>>({ record: cid, device, time }),
  'block:connect': object<Said<NodeEvents['block:connect']>>({ ...block, records: count }),
  'block:disconnect': object<Said<NodeEvents['block:disconnect']>>(block),
  'chain:tip': object<Said<NodeEvents['chain:tip']>>({ ...block, chainwork: decimal }),
  'chain:reorg': object<Said<NodeEvents['chain:reorg']>>({
    from: cid,
    to: cid,
    depth: count,
    time,
  }),
  'chain:alarm': object<Said<NodeEvents['chain:alarm']>>({ code: text, message: text, time }),
  'block:mined': object<Said<NodeEvents['block:mined']>>(block),
  'file:add': object<Said<NodeEvents['file:add']>>({ file: cid, version: cid, record: cid, time }),
  'copy:verified': object<Said<NodeEvents['copy:verified']>>({
    version: cid,
    root: cid,
    size: count,
    time,
  }),
  'copy:damaged': object<Said<NodeEvents['copy:damaged']>>({ cid, time }),
  'add:full': object<{ time: number }>({ time }),
  'peer:connect': object<Said<NodeEvents['peer:connect']>>({ device, time }),
  'peer:disconnect': object<Said<NodeEvents['peer:disconnect']>>({ device, time }),
  gap: object<{ time: number }>({ time }),
}

/** Lines of an answer that tells of its progress, but the last one with its result. */
export const progressReplies = {
  ProgressLine: object<{ type: string } & Progress>({
    type: words('progress'),
    bytes: count,
    total: nullable(count),
  }),
  WaitLine: object<{ type: string } & ReadingWait>({
    type: words('wait'),
    for: words('confirmation', 'key-holder'),
    holders: list(text),
  }),
  ErrorLine: object<{ type: string; error: ErrorBody }>({
    type: words('error'),
    error: nodeReplies.Error.properties.error as ObjectReply,
  }),
}
