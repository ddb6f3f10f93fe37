/**
 * A data directory with a long chain in it, as a node would have written it, in a fraction of the time: blocks of
 * difficulty 1 at the target interval, sealed in turn by the network's devices.
 */
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BlockHeader, NONCE_BYTES } from '../../src/chain/block.ts'
import { encodeBody, encodeHeader, sealMessage, signRecord } from '../../src/chain/codec.ts'
import { nextDifficulty, TARGET_INTERVAL_MS } from '../../src/chain/difficulty.ts'
import {
  type BlockId,
  type ContentId,
  type DeviceId,
  deviceIdOf,
  deviceKeyOf,
  type NetworkId,
  type RecordId,
  type VersionId,
} from '../../src/chain/ids.ts'
import { evaluateBlock } from '../../src/chain/outcome.ts'
import { encodeParams, type NetworkParams, networkIdOf } from '../../src/chain/params.ts'
import type { SignedRecord, Statement, UnsignedRecord } from '../../src/chain/record.ts'
import { HEADER_ANCESTORS } from '../../src/chain/validate.ts'
import { toHex } from '../../src/common/bytes.ts'
import { publicKeyOf, SIGNATURE_BYTES, signEd25519 } from '../../src/common/crypto.ts'
import { cidText, RAW } from '../../src/common/dag-cbor.ts'
import { assert } from '../../src/common/errors.ts'
import { silentLogger } from '../../src/common/logger.ts'
import { beginChain } from '../../src/services/chain/begin-chain.ts'
import { type ChainStore, createChainStore } from '../../src/storage/chain-store.ts'
import { openDataDirectory } from '../../src/storage/data-directory.ts'
import { openDatabase } from '../../src/storage/database.ts'
import { KEY_NAMES, openKeystore } from '../../src/storage/keystore.ts'

export interface ChainPlan {
  /** Data directory to make. */
  readonly path: string
  readonly blocks: number
  readonly recordsPerBlock: number
  /** Users with one device each; the first is the founder, whose keys stand in the data directory. */
  readonly users: number
  /** Milliseconds UTC; the newest block is as old as this. */
  readonly now: number
}

export interface MadeChain {
  readonly params: NetworkParams
  readonly network: NetworkId
  readonly tip: BlockId
  readonly records: number
}

interface Device {
  readonly id: DeviceId
  readonly seed: Uint8Array
  user: RecordId | null
  sequence: number
  previous: RecordId | null
}

/** Blocks whose changes are written in one transaction. */
const BLOCKS_PER_COMMIT = 1000
/** One statement in so many is a vote, the others add files. */
const VOTE_EVERY = 5

export function makeChain(plan: ChainPlan): MadeChain {
  const directory = openDataDirectory(plan.path)
  const { db } = openDatabase({
    path: directory.database,
    now: () => plan.now,
    logger: silentLogger,
  })
  try {
    const store = createChainStore(db)
    const keystore = openKeystore({
      path: directory.keys,
      randomBytes: (length) => bytesOf('key', length),
      logger: silentLogger,
    })
    keystore.put('device', bytesOf('device 0', 32))
    keystore.ensure(KEY_NAMES)
    const devices = Array.from({ length: plan.users }, (_, index) =>
      deviceOf(bytesOf(`device ${index}`, 32)),
    )
    const founder = devices[0]
    assert(founder !== undefined, 'a network has a founder')
    const params: NetworkParams = {
      version: 1,
      founder: deviceKeyOf(founder.id) ?? new Uint8Array(),
      salt: bytesOf('salt', 16),
      time: plan.now - (plan.blocks + 1) * TARGET_INTERVAL_MS,
      difficultyFloor: 1,
      admission: 'open',
    }
    const network = networkIdOf(params)
    const content = { network, parameters: toHex(encodeParams(params)) }
    writeFileSync(join(plan.path, 'network.json'), JSON.stringify(content), { mode: 0o600 })
    return { params, network, ...fill(store, plan, params, devices) }
  } finally {
    db.close()
    directory.release()
  }
}

function fill(
  store: ChainStore,
  plan: ChainPlan,
  params: NetworkParams,
  devices: readonly Device[],
): { tip: BlockId; records: number } {
  const network = networkIdOf(params)
  beginChain(store, params)
  const versions: { version: VersionId; device: Device }[] = []
  let said = 0
  let ancestors: readonly BlockHeader[] = [store.tip().header]

  const next = (device: Device, seen: BlockId, time: number): SignedRecord => {
    said += 1
    const other = versions.findLast((version) => version.device !== device)
    const statement: Statement =
      device.user === null
        ? admission(device, params, said)
        : said % VOTE_EVERY === 0 && other !== undefined
          ? vote(other.version)
          : addition(said)
    const unsigned = {
      network,
      ...statement,
      user: device.user,
      device: device.id,
      sequence: device.sequence,
      previous: device.previous,
      seen,
      time,
    } as UnsignedRecord
    const record = signRecord(unsigned, (message) => signEd25519(device.seed, message))
    if (record.type === 'user.create') device.user = record.id
    if (record.type === 'file.add') {
      versions.push({ version: record.id, device })
      if (versions.length > devices.length * 4) versions.shift()
    }
    device.sequence += 1
    device.previous = record.id
    return record
  }

  const grow = (height: number): void => {
    const tip = store.tip()
    const time = params.time + height * TARGET_INTERVAL_MS
    // The first block admits everybody.
    const authors =
      height === 1
        ? devices
        : Array.from({ length: plan.recordsPerBlock }, (_, i) => pick(devices, height + i))
    const records = authors.map((device) => next(device, tip.id, time))
    const miner = pick(devices, height)
    const effect = evaluateBlock(
      store.state,
      { params, network, height, time, miner: miner.id },
      records,
    )
    const body = encodeBody(records)
    const unsealed: BlockHeader = {
      version: 1,
      network,
      parent: tip.id,
      height,
      time,
      difficulty: nextDifficulty(params.difficultyFloor, ancestors, time),
      records: body.id,
      outcome: effect.digest,
      miner: deviceKeyOf(miner.id) ?? new Uint8Array(),
      seal: new Uint8Array(SIGNATURE_BYTES),
      nonce: new Uint8Array(NONCE_BYTES),
    }
    assert(unsealed.difficulty === 1, 'at the target interval the difficulty stays at the floor')
    const sealed = encodeHeader({
      ...unsealed,
      seal: signEd25519(miner.seed, sealMessage(unsealed)),
    })
    store.connect(store.putBlock(sealed, tip.chainwork + 1n, body), effect)
    ancestors = [sealed.header, ...ancestors].slice(0, HEADER_ANCESTORS)
  }

  for (let from = 1; from <= plan.blocks; from += BLOCKS_PER_COMMIT) {
    store.transaction(() => {
      for (let at = from; at < from + BLOCKS_PER_COMMIT && at <= plan.blocks; at += 1) grow(at)
    })
  }
  return { tip: store.tip().id, records: said }
}

function deviceOf(seed: Uint8Array): Device {
  const id = deviceIdOf(publicKeyOf('ed25519', seed))
  return { id, seed, user: null, sequence: 0, previous: null }
}

function admission(device: Device, params: NetworkParams, n: number): Statement {
  const founder = device.id === deviceIdOf(params.founder)
  return {
    type: 'user.create',
    body: {
      name: `user ${n}`,
      deviceName: `device ${n}`,
      encryptionKey: bytesOf(`encryption ${n}`, 32),
      userKey: bytesOf(`user ${n}`, 32),
      recoveryKey: bytesOf(`recovery ${n}`, 32),
      restoreKey: bytesOf(`restore ${n}`, 32),
      proof: { type: founder ? 'founder' : 'open' },
    },
  }
}

function addition(n: number): Statement {
  return {
    type: 'file.add',
    body: {
      root: cidText(RAW, bytesOf(`root ${n}`, 32)) as ContentId,
      storedSize: 1000 + n,
      visibility: 'public',
      name: `report ${n}.txt`,
      folder: ['papers', `part ${n % 100}`],
      mediaType: 'text/plain',
      size: 1000 + n,
      sha256: bytesOf(`content ${n}`, 32),
    },
  }
}

function vote(version: VersionId): Statement {
  return { type: 'vote', body: { version, verdict: 'authentic', comment: 'I was there.' } }
}

/** Bytes that look random and are the same in each run. */
function bytesOf(name: string, length: number): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(name).digest().subarray(0, length))
}

function pick<T>(list: readonly T[], index: number): T {
  const item = list[index % list.length]
  assert(item !== undefined, 'the list is not empty')
  return item
}
