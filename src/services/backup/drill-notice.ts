/**
 * What a device says at a destination of its last restore for practice, signed: a device that cannot open the backups
 * knows by it that somebody did. Each device has one such object there, which the next one replaces.
 */
import { deviceIdOf, type NetworkId, type UserId } from '../../chain/ids.ts'
import { readDevice } from '../../chain/state/devices.ts'
import { concatBytes, utf8 } from '../../common/bytes.ts'
import { KEY_BYTES, SIGNATURE_BYTES, verifyEd25519 } from '../../common/crypto.ts'
import { type CborValue, DAG_CBOR, decode, encode } from '../../common/dag-cbor.ts'
import { KIB } from '../../common/limits.ts'
import { bytes, link, nullable, type Shaped, struct, text, uint } from '../../common/schema.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import { forEach } from './catalog.ts'
import type { Destination } from './destination.ts'
import { folderOf } from './manifest.ts'

const DOMAIN = 'cairn/backup-drill/1'
const FILE = 'last.drill'
const MAX_BYTES: number = KIB
/** Letters of a code. */
const MAX_CODE = 64
/** Devices whose notices are read. */
const MAX_NOTICES = 64

const FIELDS = {
  version: uint(1),
  network: link<NetworkId>(DAG_CBOR),
  user: link<UserId>(DAG_CBOR),
  /** Who practised. */
  device: bytes(KEY_BYTES),
  /** Milliseconds UTC. */
  time: uint(),
  /** Of what went wrong; null: the chain came back as it is. */
  code: nullable(text(MAX_CODE)),
}
const unsignedShape = struct(FIELDS)
const shape = struct({ ...FIELDS, signature: bytes(SIGNATURE_BYTES) })

type Notice = Shaped<typeof unsignedShape>

/** Another device's restore for practice. */
export interface OthersDrill {
  readonly time: number
  readonly code: string | null
  /** The name of the device. */
  readonly by: string
}

export function isDrillNotice(object: string): boolean {
  return object.endsWith(`/${FILE}`)
}

/** Says it at the destination. @throws the errors of destinations */
export async function tellDrill(
  destination: Destination,
  about: Omit<Notice, 'version'>,
  sign: (message: Uint8Array) => Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const notice = { version: 1, ...about }
  const signature = sign(messageOf(notice))
  const encoded = encode(shape.write({ ...notice, signature }) as CborValue)
  const label = 'the last restore for practice'
  await destination.put(`${folderOf(about)}${FILE}`, encoded, { signal, label })
}

/**
 * The newest restore for practice that another active device of the user speaks of.
 *
 * @param now - milliseconds UTC; nobody has practised in the future
 * @throws the errors of destinations, when it cannot be listed
 */
export async function othersDrill(
  components: { readonly destination: Destination; readonly store: Pick<ChainStore, 'state'> },
  init: {
    readonly network: NetworkId
    readonly user: UserId
    readonly device: string
    readonly now: number
  },
  signal: AbortSignal,
): Promise<OthersDrill | undefined> {
  const { destination, store } = components
  const { network, user, device, now } = init
  const objects = await destination.list(`${network}/`, signal)
  const names = objects.map(({ name }) => name).filter(isDrillNotice)
  let newest: OthersDrill | undefined
  await forEach(names.slice(-MAX_NOTICES), async (name) => {
    const encoded = await destination.get(name, signal, MAX_BYTES).catch(() => undefined)
    const notice = encoded === undefined ? undefined : readNotice(encoded)
    if (notice === undefined || name !== `${folderOf(notice)}${FILE}`) return
    const id = deviceIdOf(notice.device)
    const known = readDevice(store.state, id)
    const isOther = id !== device && known?.active === true && known.user === user
    if (!isOther || notice.network !== network || notice.user !== user) return
    const { code } = notice
    const time = Math.min(notice.time, now)
    if (newest === undefined || time > newest.time) newest = { time, code, by: known.name }
  })
  signal.throwIfAborted()
  return newest
}

/** Undefined: it is none, or not signed by its device. */
function readNotice(encoded: Uint8Array): Notice | undefined {
  try {
    const { signature, ...notice } = shape.read(decode(encoded, MAX_BYTES), 'drill')
    return verifyEd25519(notice.device, messageOf(notice), signature) ? notice : undefined
  } catch {
    return undefined
  }
}

function messageOf(notice: Notice): Uint8Array {
  return concatBytes([utf8(DOMAIN), encode(unsignedShape.write(notice) as CborValue)])
}
