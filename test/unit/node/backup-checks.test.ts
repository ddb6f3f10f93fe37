import assert from 'node:assert/strict'
import { backupChecks } from '../../../src/node/backup-checks.ts'
import {
  type BackupsStatus,
  type DestinationStatus,
  NOT_CONFIGURED,
} from '../../../src/services/backup/overview.ts'

const NOW = Date.UTC(2026, 0, 14)
const good: DestinationStatus = {
  destination: 'postgres db',
  kind: 'postgres',
  newest: { name: 'one', time: NOW, size: 10 },
  lastError: null,
  failures: 0,
  behind: false,
  verified: { time: NOW, code: null },
  drilled: { time: NOW, code: null, by: null },
  stored: { backups: 1, bytes: 10, average: 10, seen: NOW, newest: NOW },
  contents: null,
  written: { backups: 1, bytes: 10 },
  monthly: 0,
}
const status = (more: Partial<BackupsStatus>): BackupsStatus => ({
  configured: true,
  warnings: [],
  faults: [],
  key: 'kit',
  returned: null,
  passphrase: true,
  destinations: [good],
  ...more,
})
const one = (more: Partial<DestinationStatus>) =>
  backupChecks(status({ destinations: [{ ...good, ...more }] }), NOW)[0] ?? assert.fail()

describe('what the doctor says of backups', () => {
  it('contents of files that do not get there are named', () => {
    const lastError = { code: 'DESTINATION_FULL', message: 'it is full', time: NOW }
    const waiting = { files: 1, bytes: 10 }
    const contents = { files: 0, objects: 0, bytes: 0, waiting, sent: 0, lastError }
    const { result, says, remedy } = one({ contents })
    assert.equal(result, 'warning')
    assert.match(says, /contents of files do not get there: it is full/)
    assert.match(remedy ?? '', /Make room/)
  })

  it('all is well when they were read and practised', () => {
    assert.deepEqual(
      backupChecks(status({}), NOW).map(({ result }) => result),
      ['ok'],
    )
  })

  it('nothing where a node is without backups, a warning where nobody has set one', () => {
    const none = { configured: false, destinations: [] }
    assert.deepEqual(backupChecks(status(none), NOW), [])
    const [found] = backupChecks(status({ ...none, warnings: [NOT_CONFIGURED] }), NOW)
    assert.equal(found?.result, 'warning')
    assert.match(found?.remedy ?? '', /cairn backup drill/)
  })

  it('what is configured by half fails', () => {
    const faults = [{ code: 'DESTINATION_VARIABLE', message: 'R2_BUCKET_NAME is missing' }]
    const [found] = backupChecks(status({ faults }), NOW)
    assert.equal(found?.result, 'failed')
    assert.match(found?.says ?? '', /R2_BUCKET_NAME/)
    assert.match(found?.remedy ?? '', /Set the variable/)
  })

  it('C11 what to do about what a destination answers', () => {
    for (const [code, remedy] of [
      ['DESTINATION_UNREACHABLE', /psql/],
      ['DESTINATION_REFUSED', /pinFileToIPFS/],
      ['DESTINATION_FULL', /backup_keep_last/],
    ] as const) {
      const lastError = { code, message: 'it says so.', time: NOW }
      assert.match(one({ lastError, failures: 2 }).remedy ?? '', remedy)
      assert.equal(one({ lastError }).result, 'warning')
      assert.equal(one({ lastError, newest: null }).result, 'failed', 'nothing was ever written')
    }
  })

  it('what was never read or practised, or went wrong', () => {
    assert.match(one({ drilled: null }).says, /never restored/)
    assert.match(one({ verified: null }).says, /never verified/)
    const bad = one({ drilled: { time: NOW, code: 'BACKUP_DIFFERS', by: null } })
    assert.equal(bad.result, 'failed')
    assert.match(bad.remedy ?? '', /cairn backup drill/)
    assert.match(one({ newest: null, behind: true }).says, /on its way/)
  })

  it('what was not read or practised yet is due, and no warning, while the directory is new', () => {
    const DAY = 86_400_000
    const at = (age: number) =>
      backupChecks(
        status({ destinations: [{ ...good, verified: null, drilled: null }] }),
        NOW,
        NOW - age,
      )
    const results = (age: number) => at(age).map(({ result }) => result)
    assert.deepEqual(results(60_000), ['ok', 'ok'])
    assert.match(at(60_000)[0]?.says ?? '', /not verified .*due by itself until 2026-01-14T23:59/)
    assert.match(at(60_000)[1]?.says ?? '', /not restored for practice .*2026-01-20T23:59/)
    assert.deepEqual(results(DAY), ['warning', 'ok'])
    assert.deepEqual(results(7 * DAY), ['warning', 'warning'])
    const bad = { ...good, verified: { time: NOW, code: 'BACKUP_DAMAGED' } }
    assert.equal(backupChecks(status({ destinations: [bad] }), NOW, NOW)[0]?.result, 'failed')
  })

  it('a clock that is behind the newest backup', () => {
    const behind = NOW - 3 * 3_600_000 - 5 * 60_000
    const found = backupChecks(status({}), behind).find(({ name }) => name === 'clock')
    assert.equal(found?.result, 'failed')
    assert.match(found.says, /3 hours 5 minutes before the newest backup at postgres db/)
    assert.match(found.remedy ?? '', /NTP/)
    const near = backupChecks(status({}), NOW - 60_000)
    assert.ok(near.every(({ name }) => name !== 'clock'))
  })

  it('a device without the key writes and compares, and others practise', () => {
    const checks = (drilled: DestinationStatus['drilled']) =>
      backupChecks(status({ key: 'none', destinations: [{ ...good, drilled }] }), NOW)
    const fine = checks({ time: NOW, code: null, by: 'laptop' })
    assert.deepEqual(
      fine.map(({ result, remedy }) => [result, remedy]),
      [
        ['ok', null],
        ['ok', null],
      ],
    )
    assert.match(fine[0]?.says ?? '', /cannot open them/)
    assert.match(fine[1]?.says ?? '', /restored for practice by laptop/)
    const never = checks(null)[1]
    assert.equal(never?.result, 'warning')
    assert.match(never?.remedy ?? '', /On the device of yours that has the recovery kit/)
  })
})
