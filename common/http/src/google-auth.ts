import { homedir } from 'node:os'
import { join } from 'node:path'
import { ExpiringCache, type Expiring } from './expiring-cache.ts'
import { signJwt } from './jwt.ts'
import type { Environment } from './sigv4-profiles.ts'
import { parseTokenJson, readExpiry, requestToken, requireText } from './token-request.ts'
import { TokenSource, type TokenOptions } from './token-source.ts'
import { WatchedFile } from './watched-file.ts'

export interface GoogleTokensOptions extends TokenOptions {
  /** A key file; default: application default credentials. */
  readonly credentialsFile?: string
}

const tokenEndpoint = 'https://oauth2.googleapis.com/token'
const metadataHost = '169.254.169.254'
const assertionSeconds = 3600
const what = 'a Google access token'

/**
 * Access tokens of Google Cloud, kept until shortly before they end. They come from the key file of the configuration, else from that of
 * GOOGLE_APPLICATION_CREDENTIALS, else from gcloud's own file, else from the metadata server. A changed file is noticed.
 */
export class GoogleTokens {
  readonly #options: GoogleTokensOptions
  readonly #source: TokenSource
  readonly #file: WatchedFile
  /** gcloud's own file need not be there. */
  readonly #isFileOptional: boolean
  #cache: ExpiringCache<string>
  #fileStamp = ''

  constructor(options: GoogleTokensOptions) {
    this.#options = options
    this.#source = new TokenSource(options)
    const { env, now } = this.#source
    const named = options.credentialsFile ?? env['GOOGLE_APPLICATION_CREDENTIALS']
    this.#isFileOptional = named === undefined || named === ''
    this.#file = new WatchedFile(this.#isFileOptional ? wellKnownFile(env) : named!, now)
    this.#cache = this.#createCache()
  }

  async token(): Promise<string> {
    await this.#readFile()
    if (this.#file.stamp !== this.#fileStamp) {
      this.#fileStamp = this.#file.stamp
      this.#cache = this.#createCache()
    }
    return this.#cache.get()
  }

  /** The token was refused: another is fetched. */
  forget(): void {
    this.#cache.forget()
  }

  close(): Promise<void> {
    return this.#source.close()
  }

  #createCache(): ExpiringCache<string> {
    return new ExpiringCache(() => this.#fetch(), { now: this.#source.now })
  }

  async #readFile(): Promise<Buffer | undefined> {
    try {
      return await this.#file.read()
    } catch (error) {
      if (this.#isFileOptional) return undefined
      throw error
    }
  }

  async #fetch(): Promise<Expiring<string>> {
    const content = await this.#readFile()
    return content === undefined ? this.#fetchFromMetadata() : this.#fetchByFile(content)
  }

  async #fetchByFile(content: Buffer): Promise<Expiring<string>> {
    const file = `the credentials file ${this.#file.path}`
    const fields = parseTokenJson(content, file)
    const form = new URLSearchParams()
    switch (fields['type']) {
      case 'service_account':
        form.set('grant_type', 'urn:ietf:params:oauth:grant-type:jwt-bearer')
        form.set('assertion', this.#signAssertion(fields, file))
        break
      case 'authorized_user':
        form.set('grant_type', 'refresh_token')
        for (const name of ['client_id', 'client_secret', 'refresh_token']) form.set(name, requireText(fields, name, file))
        break
      default:
        throw new Error(
          `cannot use ${file}: type ${JSON.stringify(fields['type'])} is not built yet, want service_account or authorized_user`,
        )
    }
    return this.#readAnswer(await this.#source.postForm(tokenUrlOf(fields), form, what))
  }

  #signAssertion(fields: Readonly<Record<string, string | number>>, file: string): string {
    const issuedAt = Math.floor(this.#source.now() / 1000)
    const claims = {
      iss: requireText(fields, 'client_email', file),
      scope: this.#options.scope,
      aud: tokenUrlOf(fields),
      iat: issuedAt,
      exp: issuedAt + assertionSeconds,
    }
    const keyId = fields['private_key_id']
    return signJwt(claims, requireText(fields, 'private_key', file), 'RS256', keyId === undefined ? undefined : String(keyId))
  }

  async #fetchFromMetadata(): Promise<Expiring<string>> {
    const { env, direct } = this.#source
    const host = env['GCE_METADATA_HOST'] || metadataHost
    const url = new URL(`http://${host}/computeMetadata/v1/instance/service-accounts/default/token`)
    url.searchParams.set('scopes', this.#options.scope)
    try {
      return this.#readAnswer(await requestToken(direct, { url, headers: { 'metadata-flavor': 'Google' } }, what))
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Error(`google: could not find default credentials, and the metadata server gives none: ${reason}`, { cause: error })
    }
  }

  #readAnswer(body: Uint8Array): Expiring<string> {
    const fields = parseTokenJson(body, what)
    return { value: requireText(fields, 'access_token', what), expiresMs: readExpiry(fields, this.#source.now()) }
  }
}

function tokenUrlOf(fields: Readonly<Record<string, string | number>>): string {
  const given = fields['token_uri']
  return typeof given === 'string' && given !== '' ? given : tokenEndpoint
}

function wellKnownFile(env: Environment): string {
  const directory =
    env['CLOUDSDK_CONFIG'] ??
    (env['APPDATA'] === undefined ? join(env['HOME'] ?? homedir(), '.config', 'gcloud') : join(env['APPDATA'], 'gcloud'))
  return join(directory, 'application_default_credentials.json')
}
