import assert from 'node:assert/strict'
import { monthlyCost, PRICES, pricedAs } from '../../../../src/services/backup/prices.ts'

const GIGABYTE = 1e9

describe('what backups cost', () => {
  it('B7 a hundred gigabytes and a million calls at R2', () => {
    const used = { bytes: 100 * GIGABYTE, writes: 1e6, reads: 1e6 }
    assert.equal(monthlyCost(PRICES.r2, used), 100 * 0.015 + 4.5 + 0.36)
  })

  it('B7 what Google gives for free is free', () => {
    const used = { bytes: 5 * GIGABYTE, writes: 5_000, reads: 50_000 }
    assert.equal(monthlyCost(PRICES.gcs, used), 0)
    assert.equal(monthlyCost(PRICES.gcs, { ...used, bytes: 6 * GIGABYTE }), 0.02)
    assert.equal(monthlyCost(PRICES.gcs, { ...used, writes: 15_000 }), 0.05)
    assert.equal(monthlyCost(PRICES.gcs, { ...used, reads: 60_000 }), 0.004)
  })

  it('B7 a disk', () => {
    assert.equal(monthlyCost(PRICES.folder, { bytes: 10 * GIGABYTE, writes: 0, reads: 0 }), 10)
  })

  it('R2 is known by the name of its destination', () => {
    assert.equal(pricedAs('s3', 'r2 bucket'), 'r2')
    assert.equal(pricedAs('s3', 's3 bucket'), 's3')
  })
})
