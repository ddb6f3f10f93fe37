import assert from 'node:assert/strict'
import { systemClock } from '../../../../src/common/clock.ts'
import type { DestinationComponents } from '../../../../src/services/backup/environment/variables.ts'
import { destinationsFrom } from '../../../../src/services/backup/from-environment.ts'

const POSTGRES = { DATABASE_URL: 'postgresql://me:very-secret@db.example:5432/cairn' }
const R2 = {
  R2_ACCOUNT_ID: 'abc123',
  R2_ACCESS_KEY_ID: 'very-secret-id',
  R2_SECRET_ACCESS_KEY: 'very-secret',
  R2_BUCKET_NAME: 'vault',
}
const S3 = {
  S3_BUCKET_NAME: 'vault',
  AWS_ACCESS_KEY_ID: 'very-secret-id',
  AWS_SECRET_ACCESS_KEY: 'very-secret',
  AWS_REGION: 'eu-west-1',
}
const GCS = { GCS_BUCKET_NAME: 'vault', GOOGLE_APPLICATION_CREDENTIALS: '/very-secret.json' }
const PINATA = { PINATA_API_KEY: 'very-secret', PINATA_SECRET_KEY: 'very-secret' }
const PINNING = {
  PINNING_SERVICE_URL: 'https://pin.example/psa',
  PINNING_SERVICE_TOKEN: 'very-secret',
}
const FOLDER = { CAIRN_BACKUP_FOLDER: '/mnt/data/backups' }

const components: DestinationComponents = {
  clock: systemClock,
  logger: { warn: () => {} },
  cidKeepers: [],
  isRestorePoint: () => true,
  content: async () => ({
    provide: () => Promise.reject(new Error('not used')),
    connect: async () => {},
  }),
}

describe('destinations from the environment', () => {
  it('A9 B2 C2 C3 are found without configuration, in the order in which they count', () => {
    const all = { ...FOLDER, ...GCS, ...S3, ...R2, ...PINNING, ...PINATA, ...POSTGRES }
    const { plans, faults } = destinationsFrom(all)
    assert.deepEqual(faults, [])
    assert.deepEqual(
      plans.map(({ kind, name }) => `${kind}: ${name}`),
      [
        'postgres: postgres db.example/cairn',
        'ipfs: pinata',
        'ipfs: pinning pin.example',
        's3: r2 vault',
        's3: s3 vault',
        'gcs: gcs vault',
        'folder: /mnt/data/backups',
      ],
    )
  })

  it('are none in an environment that says nothing of them', () => {
    const other = {
      AWS_ACCESS_KEY_ID: 'of another program',
      AWS_REGION: 'eu-west-1',
      GOOGLE_APPLICATION_CREDENTIALS: '/of/another.json',
      GOOGLE_CLOUD_PROJECT: 'project',
      RENDER_SERVICE_ID: 'srv-1',
      DATABASE_URL: '  ',
    }
    assert.deepEqual(destinationsFrom(other), { plans: [], sources: [], faults: [] })
  })

  it('open with what they need and show no secret', async () => {
    for (const environment of [POSTGRES, R2, S3, PINATA, PINNING, FOLDER, { PINATA_JWT: 'x' }]) {
      const [plan] = destinationsFrom(environment).plans
      assert.ok(plan)
      const destination = await plan.open(components)
      assert.equal(destination.kind, plan.kind)
      assert.equal(destination.name, plan.name)
      assert.doesNotMatch(destination.name, /secret/)
      await destination.close()
    }
  })

  it('one that is configured by half says which variable is missing; the others work', () => {
    const complete: readonly (readonly [Record<string, string>, readonly string[]])[] = [
      [R2, Object.keys(R2)],
      [S3, Object.keys(S3).filter((each) => each !== 'S3_BUCKET_NAME')],
      [{ ...S3, S3_ENDPOINT_URL: 'https://s3.example' }, ['S3_BUCKET_NAME']],
      [GCS, ['GOOGLE_APPLICATION_CREDENTIALS']],
      [PINATA, Object.keys(PINATA)],
      [PINNING, Object.keys(PINNING)],
      [{ RENDER_API_KEY: 'a', RENDER_SERVICE_ID: 'srv-1' }, ['RENDER_SERVICE_ID']],
    ]
    for (const [environment, variables] of complete) {
      for (const variable of variables) {
        const { plans, faults } = destinationsFrom({ ...environment, ...FOLDER, [variable]: '' })
        assert.deepEqual(
          plans.map(({ kind }) => kind),
          ['folder'],
          variable,
        )
        assert.equal(faults.length, 1, variable)
        assert.equal(faults[0]?.code, 'DESTINATION_VARIABLE')
        assert.equal(faults[0].details.variable, variable)
        assert.doesNotMatch(faults[0].message + JSON.stringify(faults[0].details), /secret/)
      }
    }
  })

  it('what cannot be used says why', () => {
    const wrong: readonly [Record<string, string>, string, RegExp][] = [
      [{ DATABASE_URL: 'mysql://a:very-secret@b/c' }, 'DATABASE_URL', /postgresql:/],
      [{ DATABASE_URL: 'very-secret' }, 'DATABASE_URL', /postgresql:/],
      [{ DATABASE_URL: 'postgresql://me:12/very-secret@host/db' }, 'DATABASE_URL', /%2F/],
      [{ DATABASE_URL: 'postgresql://me:12?very-secret@host/db' }, 'DATABASE_URL', /%3F/],
      [{ DATABASE_URL: 'postgresql://me:12#very-secret@host/db' }, 'DATABASE_URL', /%23/],
      [{ DATABASE_URL: 'postgresql:me:very-secret@host/db' }, 'DATABASE_URL', /%3A/],
      [{ ...R2, R2_BUCKET_NAME: '../other' }, 'R2_BUCKET_NAME', /bucket/],
      [{ ...R2, R2_ACCOUNT_ID: 'a.evil.example/' }, 'R2_ACCOUNT_ID', /account/],
      [{ ...R2, R2_ENDPOINT_URL: 'ftp://a' }, 'R2_ENDPOINT_URL', /http/],
      [{ ...S3, S3_ENDPOINT_URL: 'https://u:very-secret@a' }, 'S3_ENDPOINT_URL', /password/],
      [{ ...S3, S3_ENDPOINT_URL: 'https://a?b=very-secret' }, 'S3_ENDPOINT_URL', /query/],
      [{ ...S3, AWS_REGION: 'a b' }, 'AWS_REGION', /region/],
      [{ ...PINNING, PINNING_SERVICE_URL: 'http://a.example' }, 'PINNING_SERVICE_URL', /TLS/],
      [{ RENDER_API_KEY: 'a', RENDER_SERVICE_ID: '../x' }, 'RENDER_SERVICE_ID', /service id/],
    ]
    for (const [environment, variable, why] of wrong) {
      const { plans, faults } = destinationsFrom(environment)
      assert.deepEqual(plans, [], variable)
      assert.equal(faults[0]?.code, 'DESTINATION_SETTING')
      assert.equal(faults[0].details.variable, variable)
      assert.match(faults[0].message, why)
      assert.doesNotMatch(faults[0].message + JSON.stringify(faults[0].details), /secret/)
    }
  })

  it('a key of Google is a file or the key itself', async () => {
    const [plan] = destinationsFrom(GCS).plans
    const code = { code: 'DESTINATION_SETTING', message: /cannot be read \(ENOENT\)/ }
    await assert.rejects(plan?.open(components) ?? assert.fail(), code)
    const [inline] = destinationsFrom({ ...GCS, GOOGLE_APPLICATION_CREDENTIALS: '{}' }).plans
    await assert.rejects(inline?.open(components) ?? assert.fail(), {
      code: 'DESTINATION_SETTING',
      message: /no key of a service account/,
    })
  })

  it('a pinning service needs somebody who provides content', async () => {
    const [plan] = destinationsFrom(PINNING).plans
    const { content: _, ...without } = components
    await assert.rejects(plan?.open(without) ?? assert.fail(), { code: 'DESTINATION_SETTING' })
  })
})
