/** The newest records of all devices, kept in memory between changes: each peer that syncs asks for them. */
import type { DeviceId, RecordId } from '../chain/ids.ts'

/** Devices that change between two looks and are read one by one; more, and all are read again. */
const MAX_CHANGED = 256

export interface DeviceHead {
  readonly device: DeviceId
  readonly sequence: number
  readonly id: RecordId
}

export interface HeadList {
  /** By device, then sequence. The same list until something changed. */
  get(): readonly DeviceHead[]
  changed(device: DeviceId): void
  clear(): void
}

export function createHeadList(read: {
  readonly all: () => DeviceHead[]
  readonly of: (device: DeviceId) => DeviceHead[]
}): HeadList {
  let list: readonly DeviceHead[] | undefined
  const touched = new Set<DeviceId>()

  const clear = (): void => {
    list = undefined
    touched.clear()
  }
  /** The same heads keep their objects: whoever derived something from one need not do so again. */
  const refresh = (before: readonly DeviceHead[]): readonly DeviceHead[] => {
    const fresh = [...touched].sort().map((device) => ({ device, heads: read.of(device) }))
    const merged: DeviceHead[] = []
    let next = 0
    const takeUntil = (device: DeviceId | undefined): void => {
      for (let entry = fresh[next]; entry !== undefined; entry = fresh[next]) {
        if (device !== undefined && entry.device > device) return
        for (const head of entry.heads) merged.push(head)
        next += 1
      }
    }
    for (const head of before) {
      takeUntil(head.device)
      if (!touched.has(head.device)) merged.push(head)
    }
    takeUntil(undefined)
    touched.clear()
    return merged
  }

  return {
    get: () => {
      if (list === undefined) list = read.all()
      else if (touched.size > 0) list = refresh(list)
      return list
    },
    changed: (device) => {
      if (list === undefined) return
      touched.add(device)
      if (touched.size > MAX_CHANGED) clear()
    },
    clear,
  }
}
