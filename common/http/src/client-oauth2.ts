import type { OAuth2 } from '@narthex/config/http-client-config'
import type { Secret } from '@narthex/config/secret'
import type { HttpRequest, HttpResponse } from './client.ts'
import { newTokenId, signJwt, type JwtAlgorithm } from './jwt.ts'
import { WatchedFile } from './watched-file.ts'

export const jwtBearerGrant = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

type Fetch = (request: HttpRequest) => Promise<HttpResponse>

const tokenBytesMax = 2 ** 20
/** A token is asked for anew this long before it ends, as Go's oauth2 package does. */
const expiryMarginMs = 10_000
const assertionSeconds = 600

interface TokenAsker {
  /** The secret or key of now: a token that was had for another one is not used any more. */
  readSecret(): Promise<string>
  build(secret: string): { readonly form: URLSearchParams; readonly headers: Readonly<Record<string, string>> }
}

/**
 * The value of the `authorization` header by `oauth2`: a token of the grant client_credentials (RFC 6749) or jwt-bearer (RFC 7523), kept
 * until shortly before it ends or the secret changes.
 */
export function createTokenSource(config: OAuth2, fetch: Fetch, now: () => number): () => Promise<string> {
  const asker = config.grantType === jwtBearerGrant ? createJwtAsker(config, now) : createSecretAsker(config)
  let header = ''
  let secretUsed = ''
  let validUntilMs = 0
  let pending: Promise<string> | undefined

  async function askForToken(secret: string): Promise<string> {
    const { form, headers } = asker.build(secret)
    const response = await fetch({
      url: config.tokenUrl,
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: form.toString(),
      bodyBytesMax: tokenBytesMax,
    })
    const text = Buffer.from(response.body).toString('utf8')
    if (response.status < 200 || response.status > 299) {
      throw new Error(`oauth2: cannot fetch token: ${response.status}: ${text.slice(0, 200)}`)
    }
    const answer = parseToken(text, response.headers['content-type'])
    const seconds = answer.expiresInSeconds
    validUntilMs = seconds === undefined ? Infinity : now() + seconds * 1000 - expiryMarginMs
    header = `${answer.type} ${answer.token}`
    secretUsed = secret
    return header
  }

  return async () => {
    const secret = await asker.readSecret()
    if (header !== '' && now() < validUntilMs && secret === secretUsed) return header
    pending ??= askForToken(secret).finally(() => (pending = undefined))
    return pending
  }
}

function createSecretAsker(config: OAuth2): TokenAsker {
  return {
    readSecret: createSecretReader(config.clientSecret, config.clientSecretFile),
    build(secret) {
      const form = new URLSearchParams({ grant_type: 'client_credentials', ...config.endpointParams })
      if (config.scopes.length > 0) form.set('scope', config.scopes.join(' '))
      const pair = `${encodeURIComponent(config.clientId)}:${encodeURIComponent(secret)}`
      return { form, headers: { authorization: `Basic ${Buffer.from(pair, 'utf8').toString('base64')}` } }
    },
  }
}

function createJwtAsker(config: OAuth2, now: () => number): TokenAsker {
  const algorithm = (config.signatureAlgorithm ?? 'RS256') as JwtAlgorithm
  return {
    readSecret: createSecretReader(config.clientCertificateKey, config.clientCertificateKeyFile),
    build(keyPem) {
      const scope = config.scopes.join(' ')
      const issuedAt = Math.floor(now() / 1000)
      const claims = {
        iss: config.issuer ?? config.clientId,
        sub: config.clientId,
        jti: newTokenId(),
        aud: config.audience ?? config.tokenUrl,
        iat: issuedAt,
        exp: issuedAt + assertionSeconds,
        ...(scope === '' ? {} : { scope }),
        ...config.claims,
      }
      const assertion = signJwt(claims, keyPem, algorithm, config.clientCertificateKeyId)
      const form = new URLSearchParams({ grant_type: jwtBearerGrant, assertion })
      if (scope !== '') form.set('scope', scope)
      for (const [name, value] of Object.entries(config.endpointParams)) form.set(name, value)
      return { form, headers: {} }
    },
  }
}

function createSecretReader(secret: Secret | undefined, path: string | undefined): () => Promise<string> {
  if (path === undefined) return () => Promise.resolve(secret?.reveal() ?? '')
  const file = new WatchedFile(path)
  return () => file.readText()
}

function parseToken(
  text: string,
  contentType: string | string[] | undefined,
): { token: string; type: string; expiresInSeconds: number | undefined } {
  const fields: Record<string, unknown> = String(contentType).includes('x-www-form-urlencoded')
    ? Object.fromEntries(new URLSearchParams(text))
    : parseJsonObject(text)
  const token = fields['access_token']
  if (typeof token !== 'string' || token === '') throw new Error('oauth2: server response missing access_token')
  const given = typeof fields['token_type'] === 'string' ? fields['token_type'] : 'Bearer'
  const type = given.toLowerCase() === 'bearer' ? 'Bearer' : given
  const seconds = Number(fields['expires_in'])
  return { token, type, expiresInSeconds: Number.isFinite(seconds) && seconds > 0 ? seconds : undefined }
}

function parseJsonObject(text: string): Record<string, unknown> {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    // V8 quotes the text, which may be a secret in part.
    throw new Error('oauth2: cannot parse json', { cause: error instanceof Error ? error.name : undefined })
  }
  return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {}
}
