import type { AzureIdentity } from '@narthex/config/cloud-auth-config'
import type { HttpClientConfig } from '@narthex/config/http-client-config'
import { Secret } from '@narthex/config/secret'
import { createHttpClient, type HttpClient } from './client.ts'
import { ExpiringCache, type Expiring } from './expiring-cache.ts'
import type { Environment } from './sigv4-profiles.ts'
import { parseTokenJson, readExpiry, requestToken, requireText } from './token-request.ts'
import { WatchedFile } from './watched-file.ts'

export interface AzureTokensOptions {
  readonly identity: AzureIdentity
  /** Where Entra ID answers, such as `https://login.microsoftonline.com`; AZURE_AUTHORITY_HOST goes before it. */
  readonly authority: string
  /** What the token is good for, such as `https://monitor.azure.com//.default`. */
  readonly scope: string
  /** Transport settings of requests to Entra ID; the machine's own endpoint is asked directly. */
  readonly http?: HttpClientConfig
  readonly userAgent?: string
  readonly env?: Environment
  readonly now?: () => number
}

const instanceHost = 'http://169.254.169.254'
const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const what = 'an Azure access token'

/** Access tokens of Azure's Entra ID, kept until shortly before they end. */
export class AzureTokens {
  readonly #options: AzureTokensOptions
  readonly #env: Environment
  readonly #now: () => number
  readonly #client: HttpClient
  readonly #direct: HttpClient
  readonly #cache: ExpiringCache<string>

  constructor(options: AzureTokensOptions) {
    this.#options = options
    this.#env = options.env ?? process.env
    this.#now = options.now ?? Date.now
    const defaults = options.userAgent === undefined ? {} : { userAgent: options.userAgent }
    this.#client = createHttpClient(options.http, defaults)
    this.#direct = createHttpClient(undefined, defaults)
    this.#cache = new ExpiringCache(() => this.#fetch(options.identity), { now: this.#now })
  }

  token(): Promise<string> {
    return this.#cache.get()
  }

  /** The token was refused: another is fetched. */
  forget(): void {
    this.#cache.forget()
  }

  async close(): Promise<void> {
    await Promise.all([this.#client.close(), this.#direct.close()])
  }

  #fetch(identity: AzureIdentity): Promise<Expiring<string>> {
    switch (identity.kind) {
      case 'oauth':
        return this.#fetchBySecret(identity.tenantId, identity.clientId, identity.clientSecret)
      case 'workload_identity':
        return this.#fetchByAssertion(identity.tenantId, identity.clientId, identity.tokenFilePath)
      case 'managed_identity':
        return this.#fetchFromMachine(identity.clientId)
      case 'sdk':
        return this.#fetch(this.#findIdentity(identity.tenantId))
    }
  }

  /** The order of Azure's libraries: a secret, a pod's token, the machine. Programs such as `az` are not asked. */
  #findIdentity(tenant: string | undefined): Exclude<AzureIdentity, { kind: 'sdk' }> {
    const env = this.#env
    const tenantId = tenant ?? env['AZURE_TENANT_ID']
    const clientId = env['AZURE_CLIENT_ID']
    const clientSecret = env['AZURE_CLIENT_SECRET']
    const tokenFilePath = env['AZURE_FEDERATED_TOKEN_FILE']
    if (tenantId !== undefined && clientId !== undefined) {
      if (clientSecret !== undefined) return { kind: 'oauth', tenantId, clientId, clientSecret: new Secret(clientSecret) }
      if (tokenFilePath !== undefined) return { kind: 'workload_identity', tenantId, clientId, tokenFilePath }
    }
    return { kind: 'managed_identity', ...(clientId === undefined ? {} : { clientId }) }
  }

  #fetchBySecret(tenantId: string, clientId: string, secret: Secret): Promise<Expiring<string>> {
    return this.#askEntra(tenantId, { client_id: clientId, client_secret: secret.reveal() })
  }

  async #fetchByAssertion(tenantId: string, clientId: string, tokenFilePath: string): Promise<Expiring<string>> {
    const assertion = await new WatchedFile(tokenFilePath).readText()
    return this.#askEntra(tenantId, { client_id: clientId, client_assertion_type: assertionType, client_assertion: assertion })
  }

  async #askEntra(tenantId: string, parameters: Readonly<Record<string, string>>): Promise<Expiring<string>> {
    const authority = (this.#env['AZURE_AUTHORITY_HOST'] || this.#options.authority).replace(/\/$/, '')
    const url = `${authority}/${encodeURIComponent(tenantId)}/oauth2/v2.0/token`
    const body = new URLSearchParams({ ...parameters, grant_type: 'client_credentials', scope: this.#options.scope }).toString()
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    return this.#readAnswer(await requestToken(this.#client, { url, method: 'POST', headers, body }, what))
  }

  async #fetchFromMachine(clientId: string | undefined): Promise<Expiring<string>> {
    const appEndpoint = this.#env['IDENTITY_ENDPOINT']
    const appHeader = this.#env['IDENTITY_HEADER']
    const isApp = appEndpoint !== undefined && appHeader !== undefined
    const host = (this.#env['AZURE_POD_IDENTITY_AUTHORITY_HOST'] || instanceHost).replace(/\/$/, '')
    const url = new URL(isApp ? appEndpoint : `${host}/metadata/identity/oauth2/token`)
    url.searchParams.set('api-version', isApp ? '2019-08-01' : '2018-02-01')
    url.searchParams.set('resource', this.#options.scope.replace(/\/\.default$/, ''))
    if (clientId !== undefined) url.searchParams.set('client_id', clientId)
    const headers: Record<string, string> = isApp ? { 'x-identity-header': appHeader } : { metadata: 'true' }
    return this.#readAnswer(await requestToken(this.#direct, { url, headers }, what))
  }

  #readAnswer(body: Uint8Array): Expiring<string> {
    const fields = parseTokenJson(body, what)
    const expiresOn = Number(fields['expires_on'] ?? Number.NaN)
    // Some endpoints of machines give a point in time only.
    const expiresMs = fields['expires_in'] === undefined && expiresOn > 0 ? expiresOn * 1000 : readExpiry(fields, this.#now())
    return { value: requireText(fields, 'access_token', what), expiresMs }
  }
}
