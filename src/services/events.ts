/** The one list of events of a node. They feed the log, the event stream and the web page; they do not control. */
import type { BlockId, DeviceId, FileId, RecordId, VersionId } from '../chain/ids.ts'
import type { RecordType, SignedRecord } from '../chain/record.ts'

export interface NodeEvents {
  /** A record is stored here and not yet in a block of the best chain. */
  'record:pending': { record: SignedRecord; own: boolean }
  /** A record of this device that was missing here came from outside: this directory is older than what it wrote. */
  'record:adopted': { record: RecordId; sequence: number }
  /** `visibility`: of the version that it makes, if it makes one. */
  'record:confirmed': {
    record: RecordId
    type: RecordType
    block: BlockId
    height: number
    visibility?: 'public' | 'private'
  }
  /** A record cannot enter this chain as it is; its own device signs it again. */
  'record:stranded': { record: RecordId; device: DeviceId }
  'block:connect': { block: BlockId; height: number; records: number }
  'block:disconnect': { block: BlockId; height: number }
  /** The tip after a connect or a reorg. */
  'chain:tip': { block: BlockId; height: number; chainwork: bigint }
  'chain:reorg': { from: BlockId; to: BlockId; depth: number }
  /** Something that a person should look at: a deep reorg, a differing outcome, a wrong clock. */
  'chain:alarm': { code: string; message: string }
  'block:mined': { block: BlockId; height: number }
  'file:add': { file: FileId; version: VersionId; record: RecordId }
  /** All bytes of a version are here and were verified. */
  'copy:verified': { version: VersionId; root: string; size: number }
  'copy:damaged': { cid: string }
  /** An add failed because the disk is full; what it wrote is nobody's. */
  'add:full': Record<string, never>
  'peer:connect': { device: DeviceId }
  'peer:disconnect': { device: DeviceId }
}
