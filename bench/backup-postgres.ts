/** The way back from a real PostgreSQL: everything that a start in an empty directory does, for short and longer chains. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { deviceIdOf } from '../src/chain/ids.ts'
import { encodeParams } from '../src/chain/params.ts'
import { systemClock } from '../src/common/clock.ts'
import { publicKeyOf, signEd25519 } from '../src/common/crypto.ts'
import { silentLogger } from '../src/common/logger.ts'
import { restoreDirectory } from '../src/node/restoring.ts'
import { createPostgresDestination } from '../src/services/backup/destinations/postgres.ts'
import { backupKeyOfKit } from '../src/services/backup/keys.ts'
import { createWriter } from '../src/services/backup/writer.ts'
import { createChainStore } from '../src/storage/chain-store.ts'
import { openDatabase } from '../src/storage/database.ts'
import { openKeystore } from '../src/storage/keystore.ts'
import { startPostgres } from '../test/helpers/backup/postgres.ts'
import type { Figure } from './support/figures.ts'
import { makeChain } from './support/make-chain.ts'
import { bench, MIB } from './support/measure.ts'

const LONG = 10_000
const signal = new AbortController().signal
const clock = systemClock
const logger = silentLogger

interface Measured {
  readonly saveSeconds: number
  readonly bytes: number
  readonly restoreSeconds: number
}

async function measure(path: string, url: string, blocks: number): Promise<Measured> {
  const now = Date.now() - 3_600_000
  const { params, network } = makeChain({ path, blocks, recordsPerBlock: 1, users: 5, now })
  const keystore = openKeystore({
    path: join(path, 'keys'),
    randomBytes: clock.randomBytes,
    logger,
  })
  const seed = keystore.require('device')
  const kit = keystore.require('recovery')
  const { db } = openDatabase({ path: join(path, 'cairn.sqlite'), now: clock.now, logger })
  const store = createChainStore(db)
  const device = deviceIdOf(publicKeyOf('ed25519', seed))
  const admission = store.recordsAt(device, 0)[0]?.record ?? assert.fail()
  const destination = createPostgresDestination({ clock }, { name: 'postgres', url })
  const writer = createWriter(
    { store, signer: { device, sign: (message) => signEd25519(seed, message) }, clock, logger },
    {
      destination,
      owner: {
        network,
        user: () => admission.user ?? (admission.id as never),
        key: backupKeyOfKit(kit),
        person: async () => ({
          params: encodeParams(params),
          userName: 'Ada',
          deviceName: 'laptop',
          restore: keystore.require('restore'),
          userKeys: [keystore.require('user')],
        }),
      },
    },
  )
  const saving = performance.now()
  const saved = await writer.save({ name: 'bench', manual: true, signal })
  const saveSeconds = (performance.now() - saving) / 1000
  db.close()
  const started = performance.now()
  const restored = await restoreDirectory(
    { dataDir: join(path, 'restored'), logger, destinations: [destination], kit },
    signal,
  )
  const restoreSeconds = (performance.now() - started) / 1000
  assert.equal(restored?.height, blocks)
  await destination.close()
  return { saveSeconds, bytes: saved?.written ?? assert.fail(), restoreSeconds }
}

// The timers of the clock do not keep a process alive.
const alive = setInterval(() => {}, 1000)
await bench('backup-postgres', async ({ quick, directory }) => {
  const server = await startPostgres()
  try {
    const blocks = quick ? LONG / 10 : LONG
    const short = await measure(join(directory, 'short'), await server.database(), 42)
    const long = await measure(join(directory, 'long'), await server.database(), blocks)
    const many = `${blocks.toLocaleString('en')} blocks`
    const figures: Figure[] = [
      {
        name: 'restore of 42 blocks',
        value: short.restoreSeconds,
        unit: 's',
        goal: { of: 'value', is: 'at most', limit: 1 },
      },
      { name: `restore of ${many}`, value: long.restoreSeconds, unit: 's' },
      { name: `full backup of ${many}`, value: long.saveSeconds, unit: 's' },
      { name: 'its size', value: long.bytes / MIB, unit: 'MiB' },
    ]
    return figures
  } finally {
    await server.stop()
  }
})
clearInterval(alive)
