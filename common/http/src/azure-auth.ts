import type { AzureIdentity } from '@narthex/config/cloud-auth-config'
import { Secret } from '@narthex/config/secret'
import { ExpiringCache, type Expiring } from './expiring-cache.ts'
import { parseTokenJson, readExpiry, requestToken, requireText } from './token-request.ts'
import { TokenSource, type TokenOptions } from './token-source.ts'
import { WatchedFile } from './watched-file.ts'

export interface AzureTokensOptions extends TokenOptions {
  readonly identity: AzureIdentity
  /** Where Entra ID answers, such as `https://login.microsoftonline.com`; AZURE_AUTHORITY_HOST goes before it. */
  readonly authority: string
}

const instanceHost = 'http://169.254.169.254'
const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const what = 'an Azure access token'

/** Access tokens of Azure's Entra ID, kept until shortly before they end. */
export class AzureTokens {
  readonly #options: AzureTokensOptions
  readonly #source: TokenSource
  readonly #cache: ExpiringCache<string>

  constructor(options: AzureTokensOptions) {
    this.#options = options
    this.#source = new TokenSource(options)
    this.#cache = new ExpiringCache(() => this.#fetch(options.identity), { now: this.#source.now })
  }

  token(): Promise<string> {
    return this.#cache.get()
  }

  /** The token was refused: another is fetched. */
  forget(): void {
    this.#cache.forget()
  }

  close(): Promise<void> {
    return this.#source.close()
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
    const { env } = this.#source
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
    const authority = (this.#source.env['AZURE_AUTHORITY_HOST'] || this.#options.authority).replace(/\/$/, '')
    const url = `${authority}/${encodeURIComponent(tenantId)}/oauth2/v2.0/token`
    const form = new URLSearchParams({ ...parameters, grant_type: 'client_credentials', scope: this.#options.scope })
    return this.#readAnswer(await this.#source.postForm(url, form, what))
  }

  async #fetchFromMachine(clientId: string | undefined): Promise<Expiring<string>> {
    const { env, direct } = this.#source
    const appEndpoint = env['IDENTITY_ENDPOINT']
    const appHeader = env['IDENTITY_HEADER']
    const isApp = appEndpoint !== undefined && appHeader !== undefined
    const host = (env['AZURE_POD_IDENTITY_AUTHORITY_HOST'] || instanceHost).replace(/\/$/, '')
    const url = new URL(isApp ? appEndpoint : `${host}/metadata/identity/oauth2/token`)
    url.searchParams.set('api-version', isApp ? '2019-08-01' : '2018-02-01')
    url.searchParams.set('resource', this.#options.scope.replace(/\/\.default$/, ''))
    if (clientId !== undefined) url.searchParams.set('client_id', clientId)
    const headers: Record<string, string> = isApp ? { 'x-identity-header': appHeader } : { metadata: 'true' }
    return this.#readAnswer(await requestToken(direct, { url, headers }, what))
  }

  #readAnswer(body: Uint8Array): Expiring<string> {
    const fields = parseTokenJson(body, what)
    const expiresOn = Number(fields['expires_on'] ?? Number.NaN)
    // Some endpoints of machines give a point in time only.
    const expiresMs = fields['expires_in'] === undefined && expiresOn > 0 ? expiresOn * 1000 : readExpiry(fields, this.#source.now())
    return { value: requireText(fields, 'access_token', what), expiresMs }
  }
}
