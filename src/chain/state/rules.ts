/**
 * Rule versions: `rules`. An admin announces a version and the height from which it holds. A node whose software
 * does not know it stops there and says so, instead of computing another state than the others.
 */
import { list, tuple, uint } from '../../common/schema.ts'
import type { UserId } from '../ids.ts'
import type { RecordOf } from '../record.ts'
import { type Overlay, readValue, type StateView } from '../view.ts'
import { APPLIED, type Evaluation, type Result, rejected } from './result.ts'
import { readUser } from './users.ts'
import { valueCodec } from './value.ts'

/** The rule version that this software knows; a network begins with 1. */
export const RULE_VERSION = 1
/** Blocks between an announcement and its activation, at least: deeper than any usual reorg. */
export const MIN_UPGRADE_NOTICE = 100
/** Announcements kept, the one in force included. */
export const MAX_ANNOUNCEMENTS = 16

export interface Announcement {
  readonly version: number
  /** The first block that follows it. */
  readonly height: number
}

const codec = valueCodec(list(tuple(['version', uint()], ['height', uint()]), MAX_ANNOUNCEMENTS))
const KEY = 'rules'

export interface RulesState {
  /** The version in force at a height. */
  readonly current: number
  readonly scheduled: readonly Announcement[]
}

/** The rules that a block at `height` follows, and those announced for later. */
export function readRules(view: StateView, height: number): RulesState {
  const announced = readValue(view, KEY, codec) ?? []
  const current = announced.findLast((entry) => entry.height <= height)
  return {
    current: current?.version ?? 1,
    scheduled: announced.filter((entry) => entry.height > height),
  }
}

export function applyUpgrade(
  overlay: Overlay,
  record: RecordOf<'upgrade'>,
  user: UserId,
  { height }: Evaluation,
): Result {
  const { ruleVersion, activationHeight } = record.body
  if (readUser(overlay, user)?.role !== 'admin') return rejected('NOT_AN_ADMIN')
  const announced = readValue(overlay, KEY, codec) ?? []
  const newest = announced.at(-1) ?? { version: 1, height: 0 }
  if (ruleVersion <= newest.version) return rejected('UPGRADE_VERSION')
  if (activationHeight < height + MIN_UPGRADE_NOTICE || activationHeight <= newest.height) {
    return rejected('UPGRADE_HEIGHT')
  }
  // What was in force before the present version is of no use any more.
  const inForce = announced.findLastIndex((entry) => entry.height <= height)
  const kept = announced.slice(Math.max(0, inForce))
  if (kept.length >= MAX_ANNOUNCEMENTS) return rejected('UPGRADE_COUNT')
  overlay.write(KEY, codec, [...kept, { version: ruleVersion, height: activationHeight }])
  return APPLIED
}
