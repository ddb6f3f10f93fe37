/**
 * Access tokens of a Google service account: a JWT that its key signs (RS256) is exchanged for a token at the
 * account's token address (RFC 7523).
 */
import { createPrivateKey, sign } from 'node:crypto'
import type { Clock } from '../../../common/clock.ts'
import { backupError } from '../errors.ts'
import { answerError, isObject, jsonOf, malformed, succeeded } from './answers.ts'
import { type Http, serviceUrl } from './http.ts'

/** Rights over objects, none over buckets. */
const SCOPE = 'https://www.googleapis.com/auth/devstorage.read_write'
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const TOKEN_URI = 'https://oauth2.googleapis.com/token'
/** Seconds for which the signed request is good: the most that Google takes. */
const ASSERTION_SECONDS = 3600
/** Milliseconds before its end at which a token is no longer used. */
const SPARE_MS = 60_000
const VARIABLE = 'GOOGLE_APPLICATION_CREDENTIALS'

export interface ServiceAccount {
  readonly email: string
  readonly key: string
  readonly keyId: string | undefined
  readonly tokenUrl: URL
}

/**
 * A service account's JSON key.
 *
 * @throws DESTINATION_SETTING when it is none
 */
export function readServiceAccount(json: string, destination: string): ServiceAccount {
  const refuse = (why: string): Error =>
    backupError('DESTINATION_SETTING', { destination, variable: VARIABLE, why })
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    throw refuse('it is no JSON')
  }
  if (!isObject(value) || value.type !== 'service_account') {
    throw refuse('it is no key of a service account')
  }
  const { client_email: email, private_key: key, private_key_id: keyId, token_uri: uri } = value
  if (typeof email !== 'string' || typeof key !== 'string') throw refuse('the key is incomplete')
  try {
    if (createPrivateKey(key).asymmetricKeyType !== 'rsa') throw refuse('the key is no RSA key')
  } catch {
    throw refuse('the private key cannot be read')
  }
  const address = typeof uri === 'string' ? uri : TOKEN_URI
  const tokenUrl = serviceUrl(address, { variable: VARIABLE, destination, token: true })
  return { email, key, keyId: typeof keyId === 'string' ? keyId : undefined, tokenUrl }
}

export interface TokenSource {
  /**
   * A token that is good for a minute at least.
   *
   * @throws DESTINATION_REFUSED, DESTINATION_UNREACHABLE, DESTINATION_BUSY, DESTINATION_FAILED
   */
  token(signal: AbortSignal): Promise<string>
  /** The service did not take the token: a new one next time. */
  forget(): void
}

export function createTokenSource(
  components: { readonly http: Http; readonly clock: Pick<Clock, 'now'> },
  { account, destination }: { readonly account: ServiceAccount; readonly destination: string },
): TokenSource {
  const { http, clock } = components
  let held: { readonly token: string; readonly until: number } | undefined

  return {
    token: async (signal) => {
      if (held !== undefined && clock.now() < held.until) return held.token
      const body = new URLSearchParams({ grant_type: GRANT, assertion: assertion(account, clock) })
      const answer = await http.send({
        method: 'POST',
        url: account.tokenUrl,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: Buffer.from(body.toString()),
        signal,
      })
      if (answer.status === 400) {
        // `invalid_grant`: the key was deleted, or this computer's clock is wrong.
        throw answerError({ ...answer, status: 401 }, { destination, now: clock.now() })
      }
      if (!succeeded(answer)) throw answerError(answer, { destination, now: clock.now() })
      const { access_token: token, expires_in: seconds } = jsonOf(answer, destination)
      if (typeof token !== 'string' || typeof seconds !== 'number') {
        throw malformed(destination, 'no access token')
      }
      held = { token, until: clock.now() + seconds * 1000 - SPARE_MS }
      return token
    },
    forget: () => {
      held = undefined
    },
  }
}

function assertion(account: ServiceAccount, clock: Pick<Clock, 'now'>): string {
  const now = Math.floor(clock.now() / 1000)
  const header = { alg: 'RS256', typ: 'JWT', kid: account.keyId }
  const claims = {
    iss: account.email,
    scope: SCOPE,
    aud: account.tokenUrl.href,
    iat: now,
    exp: now + ASSERTION_SECONDS,
  }
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${part(header)}.${part(claims)}`
  return `${text}.${sign('sha256', Buffer.from(text), account.key).toString('base64url')}`
}
