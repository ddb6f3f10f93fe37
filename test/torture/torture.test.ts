import { ok } from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { torture } from './torture.ts'

/** A small part of `npm run torture`. */
const KILLS = 8

describe('kill -9 at random moments', () => {
  it('loses nothing that was acknowledged, and every start opens by itself', async function () {
    this.timeout(300_000)
    const seed = Date.now() % 2 ** 32
    const directory = await mkdtemp(join(tmpdir(), 'cairn-torture-'))
    const lines: string[] = []
    try {
      const log = (line: string): void => void lines.push(line)
      const { kills, acknowledged } = await torture({ kills: KILLS, seed, directory, log })
      ok(kills >= KILLS && acknowledged > 0)
    } catch (error) {
      throw new Error(`seed ${seed}\n${lines.join('\n')}`, { cause: error })
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })
})
