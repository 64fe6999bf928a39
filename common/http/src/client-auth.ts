import type { HttpClientConfig, OAuth2 } from '@narthex/config/http-client-config'
import type { Secret } from '@narthex/config/secret'
import type { HttpRequest, HttpResponse } from './client.ts'
import { WatchedFile } from './watched-file.ts'

export interface Authorizer {
  /** Adds what the config says to the headers of one request. */
  addHeaders(headers: Record<string, string>): void | Promise<void>
}

type Source = () => string | Promise<string>
type Step = (headers: Record<string, string>) => void | Promise<void>

/** `fetch` sends token requests. Throws when the config asks for a grant that is not built. */
export function createAuthorizer(
  config: HttpClientConfig,
  fetch: (request: HttpRequest) => Promise<HttpResponse>,
  now: () => number = Date.now,
): Authorizer {
  const steps: Step[] = [...headerSteps(config)]
  if (config.basicAuth !== undefined) {
    const { username, usernameFile, password, passwordFile } = config.basicAuth
    const readUser = sourceOf(username, undefined, usernameFile)
    const readPassword = sourceOf('', password, passwordFile)
    steps.push(async (headers) => {
      const pair = `${await readUser()}:${await readPassword()}`
      setDefault(headers, 'authorization', `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`)
    })
  }
  if (config.authorization !== undefined) {
    const { type, credentials, credentialsFile } = config.authorization
    const read = sourceOf('', credentials, credentialsFile)
    steps.push(async (headers) => setDefault(headers, 'authorization', `${type} ${await read()}`))
  }
  if (config.oauth2 !== undefined) {
    const read = createTokenSource(config.oauth2, fetch, now)
    steps.push(async (headers) => setDefault(headers, 'authorization', await read()))
  }
  if (steps.length === 0) return { addHeaders: () => undefined }
  return {
    async addHeaders(headers) {
      for (const step of steps) await step(headers)
    },
  }
}

function headerSteps(config: HttpClientConfig): Step[] {
  return Object.entries(config.httpHeaders).map(([name, header]) => {
    const values = [...header.values, ...header.secrets.map((secret) => secret.reveal())]
    const files = header.files.map((path) => new WatchedFile(path))
    return async (headers: Record<string, string>) => {
      const all = [...values]
      for (const file of files) all.push(await file.readText())
      setDefault(headers, name, all.join(', '))
    }
  })
}

function sourceOf(text: string, secret: Secret | undefined, path: string | undefined): Source {
  if (path !== undefined) {
    const file = new WatchedFile(path)
    return () => file.readText()
  }
  return () => secret?.reveal() ?? text
}

// What the caller set itself wins.
function setDefault(headers: Record<string, string>, name: string, value: string): void {
  const lower = name.toLowerCase()
  for (const key of Object.keys(headers)) if (key.toLowerCase() === lower) return
  headers[name] = value
}

const tokenBytesMax = 2 ** 20
/** A token is asked for anew this long before it ends, as Go's oauth2 package does. */
const expiryMarginMs = 10_000

function createTokenSource(config: OAuth2, fetch: (request: HttpRequest) => Promise<HttpResponse>, now: () => number): Source {
  if (config.grantType !== undefined && config.grantType !== 'client_credentials') {
    throw new Error(`oauth2 grant_type ${config.grantType} is not built yet; use client_credentials`)
  }
  const readSecret = sourceOf('', config.clientSecret, config.clientSecretFile)
  let header = ''
  let secretUsed = ''
  let validUntilMs = 0
  let pending: Promise<string> | undefined

  async function askForToken(secret: string): Promise<string> {
    const form = new URLSearchParams({ grant_type: 'client_credentials', ...config.endpointParams })
    if (config.scopes.length > 0) form.set('scope', config.scopes.join(' '))
    const pair = `${encodeURIComponent(config.clientId)}:${encodeURIComponent(secret)}`
    const response = await fetch({
      url: config.tokenUrl,
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`,
      },
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
    const secret = await readSecret()
    if (header !== '' && now() < validUntilMs && secret === secretUsed) return header
    pending ??= askForToken(secret).finally(() => (pending = undefined))
    return pending
  }
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
    throw new Error('oauth2: cannot parse json', { cause: error })
  }
  return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {}
}
