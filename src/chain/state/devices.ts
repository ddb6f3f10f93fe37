/** Devices: `device/<device>`. Who they belong to and where their hash chain of records stands. */
import { KEY_BYTES } from '../../common/crypto.ts'
import { DAG_CBOR } from '../../common/dag-cbor.ts'
import { boolean, bytes, link, type Shaped, tuple, uint } from '../../common/schema.ts'
import type { DeviceId, RecordId, UserId } from '../ids.ts'
import { nameShape } from '../names.ts'
import type { SignedRecord } from '../record.ts'
import { type Overlay, readValue, type StateView } from '../view.ts'
import { valueCodec } from './value.ts'

const shape = tuple(
  ['user', link<UserId>(DAG_CBOR)],
  ['name', nameShape],
  /** X25519 public key. */
  ['encryptionKey', bytes(KEY_BYTES)],
  ['active', boolean()],
  /** Sequence of its last included record. */
  ['sequence', uint()],
  /** Id of that record. */
  ['last', link<RecordId>(DAG_CBOR)],
)
const codec = valueCodec(shape)

export type DeviceState = Shaped<typeof shape>

const keyOf = (device: DeviceId): string => `device/${device}`

/** Undefined for a device that was not admitted in this chain. */
export function readDevice(view: StateView, device: DeviceId): DeviceState | undefined {
  return readValue(view, keyOf(device), codec)
}

/** Moves the device's chain on to `record`. The caller has checked that it continues it. */
export function advanceDevice(overlay: Overlay, device: DeviceState, record: SignedRecord): void {
  const { sequence, id: last } = record
  overlay.write(keyOf(record.device), codec, { ...device, sequence, last })
}

/** Enters the device that `record`, its admission, speaks of. */
export function admitDevice(overlay: Overlay, record: SignedRecord): void {
  if (record.type !== 'user.create' && record.type !== 'device.add') return
  const { body } = record
  overlay.write(keyOf(record.device), codec, {
    user: record.user ?? record.id,
    name: record.type === 'user.create' ? record.body.deviceName : record.body.name,
    encryptionKey: body.encryptionKey,
    active: true,
    sequence: record.sequence,
    last: record.id,
  })
}
