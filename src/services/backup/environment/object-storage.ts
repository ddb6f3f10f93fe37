/** Object storage: Cloudflare R2, anything that speaks S3, Google Cloud Storage. */
import { readFile } from 'node:fs/promises'
import { type CairnError, codeOf } from '../../../common/errors.ts'
import { serviceUrl } from '../destinations/http.ts'
import type { S3Init } from '../destinations/s3.ts'
import { backupError } from '../errors.ts'
import { type Environment, type Plan, planOf, type Variables } from './variables.ts'

/** Where the objects stand in a bucket: others may use it too. */
const PREFIX = 'backups/'
/** Names that can be part of an address: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const BUCKET = /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/
const REGION = /^[a-z0-9-]{1,40}$/
const GOOGLE = 'https://storage.googleapis.com'

/** `R2_ACCOUNT_ID` or `R2_ENDPOINT_URL`, `R2_ACCESS_KEY_ID`, `R2_SECRET_ACCESS_KEY`, `R2_BUCKET_NAME`. */
export function r2From(environment: Environment): Plan | CairnError | undefined {
  const triggers = [
    'ACCOUNT_ID',
    'ACCESS_KEY_ID',
    'SECRET_ACCESS_KEY',
    'BUCKET_NAME',
    'ENDPOINT_URL',
  ]
  return planOf(
    environment,
    'r2',
    triggers.map((each) => `R2_${each}`),
    (variables) => {
      const bucket = bucketOf(variables, 'R2_BUCKET_NAME')
      const given = variables.may('R2_ENDPOINT_URL')
      const endpoint = given ?? `https://${accountOf(variables)}.r2.cloudflarestorage.com`
      const variable = given === undefined ? 'R2_ACCOUNT_ID' : 'R2_ENDPOINT_URL'
      const base = serviceUrl(endpoint, { variable, destination: 'r2', token: false })
      return s3Plan({
        name: `r2 ${bucket}`,
        bucketUrl: inPath(base, bucket),
        region: 'auto',
        accessKeyId: variables.need('R2_ACCESS_KEY_ID'),
        secretAccessKey: variables.need('R2_SECRET_ACCESS_KEY'),
        prefix: PREFIX,
      })
    },
  )
}

/**
 * `S3_BUCKET_NAME`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, and `S3_ENDPOINT_URL` for any service, or `AWS_REGION` for
 * Amazon. `AWS_…` alone say nothing: other programs use them too.
 */
export function s3From(environment: Environment): Plan | CairnError | undefined {
  return planOf(environment, 's3', ['S3_BUCKET_NAME', 'S3_ENDPOINT_URL'], (variables) => {
    const { need, may, refuse } = variables
    const bucket = bucketOf(variables, 'S3_BUCKET_NAME')
    const endpoint = may('S3_ENDPOINT_URL')
    const region = may('AWS_REGION') ?? (endpoint === undefined ? need('AWS_REGION') : 'us-east-1')
    if (!REGION.test(region)) refuse('AWS_REGION', 'it is no region')
    const from = { variable: 'S3_ENDPOINT_URL', destination: 's3', token: false }
    const sessionToken = may('AWS_SESSION_TOKEN')
    return s3Plan({
      name: `s3 ${bucket}`,
      bucketUrl:
        endpoint === undefined
          ? amazon(bucket, region)
          : inPath(serviceUrl(endpoint, from), bucket),
      region,
      accessKeyId: need('AWS_ACCESS_KEY_ID'),
      secretAccessKey: need('AWS_SECRET_ACCESS_KEY'),
      ...(sessionToken === undefined ? {} : { sessionToken }),
      prefix: PREFIX,
    })
  })
}

/**
 * `GCS_BUCKET_NAME` and `GOOGLE_APPLICATION_CREDENTIALS`: the path of a service account's key, or, for hosts without
 * files, the key itself. `GOOGLE_CLOUD_PROJECT` is not needed, since the bucket is there already. `GCS_ENDPOINT_URL` is
 * for private endpoints.
 */
export function gcsFrom(environment: Environment): Plan | CairnError | undefined {
  return planOf(environment, 'gcs', ['GCS_BUCKET_NAME'], (variables) => {
    const bucket = bucketOf(variables, 'GCS_BUCKET_NAME')
    const credentials = variables.need('GOOGLE_APPLICATION_CREDENTIALS')
    const from = { variable: 'GCS_ENDPOINT_URL', destination: 'gcs', token: true }
    const endpoint = serviceUrl(variables.may('GCS_ENDPOINT_URL') ?? GOOGLE, from)
    const name = `gcs ${bucket}`
    return {
      kind: 'gcs',
      name,
      open: async ({ clock }) => {
        const json = credentials.startsWith('{') ? credentials : await keyFile(credentials)
        const { createGcsDestination } = await import('../destinations/gcs.ts')
        const { readServiceAccount } = await import('../destinations/google-token.ts')
        const account = readServiceAccount(json, name)
        return createGcsDestination({ clock }, { name, bucket, account, endpoint, prefix: PREFIX })
      },
    }
  })
}

function s3Plan(init: S3Init): Plan {
  return {
    kind: 's3',
    name: init.name,
    open: async ({ clock }) => {
      const { createS3Destination } = await import('../destinations/s3.ts')
      return createS3Destination({ clock }, init)
    },
  }
}

function bucketOf({ need, refuse }: Variables, variable: string): string {
  const bucket = need(variable)
  if (!BUCKET.test(bucket) || bucket.includes('..')) refuse(variable, 'it is no name of a bucket')
  return bucket
}

function accountOf({ need, refuse }: Variables): string {
  const account = need('R2_ACCOUNT_ID')
  if (!/^\w{1,64}$/.test(account)) refuse('R2_ACCOUNT_ID', 'it is no account id')
  return account
}

/** A bucket as first part of the path: what every endpoint understands. */
function inPath(base: URL, bucket: string): URL {
  return new URL(`${base.origin}${base.pathname.replace(/\/$/, '')}/${bucket}`)
}

/** Amazon wants the bucket in the host's name, which a certificate covers only without dots. */
function amazon(bucket: string, region: string): URL {
  const host = `s3.${region}.amazonaws.com`
  return new URL(bucket.includes('.') ? `https://${host}/${bucket}` : `https://${bucket}.${host}`)
}

async function keyFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const variable = 'GOOGLE_APPLICATION_CREDENTIALS'
    const why = `the file that it names cannot be read (${codeOf(error)})`
    throw backupError('DESTINATION_SETTING', { destination: 'gcs', variable, why })
  }
}
