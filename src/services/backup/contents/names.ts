/** Where contents stand at a destination: apart from the chain, so that listing its backups costs the same as ever. */
import type { UserId } from '../../../chain/ids.ts'

/** What all of them begin with; no network's id does. */
export const CONTENTS_PREFIX = 'contents/'

/** The folder that all devices of a user share: what one has written, another one does not write again. */
export function contentsFolder(user: UserId): string {
  return `${CONTENTS_PREFIX}${user}/`
}

export function packName(
  user: UserId,
  { sha256, zstd }: { readonly sha256: Uint8Array; readonly zstd: number },
): string {
  const hex = Buffer.from(sha256).toString('hex')
  return `${contentsFolder(user)}${hex}.car.${zstd === 1 ? 'zst.' : ''}age`
}

export const isListName = (name: string): boolean =>
  /^contents\/[^/]+\/[0-9a-f]{64}\.contents$/.test(name)
export const isPackName = (name: string): boolean =>
  /^contents\/[^/]+\/[0-9a-f]{64}\.car\.(?:zst\.)?age$/.test(name)
