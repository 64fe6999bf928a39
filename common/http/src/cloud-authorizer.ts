import type { AzureCloud, CloudAuth } from '@narthex/config/cloud-auth-config'
import type { HttpClientConfig } from '@narthex/config/http-client-config'
import { AzureTokens } from './azure-auth.ts'
import { GoogleTokens } from './google-auth.ts'
import { AwsAccount } from './sigv4-credentials.ts'
import type { Environment } from './sigv4-profiles.ts'
import { signRequest } from './sigv4.ts'
import { cloudTransport } from './token-transport.ts'

export interface CloudRequest {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** Makes requests to one remote those of a cloud account. */
export interface CloudAuthorizer {
  /** The headers to add, for this one attempt. Rejects with one line when there are no credentials; to ask again is cheap. */
  authorize(request: CloudRequest): Promise<Record<string, string>>
  /** The remote answered 401 or 403: the credentials are fetched anew, at most every 30 s. */
  forget(): void
  close(): Promise<void>
}

export interface CloudAuthorizerOptions {
  /** The remote's: its proxy serves requests for credentials too. */
  readonly http?: HttpClientConfig
  readonly userAgent?: string
  readonly env?: Environment
  readonly now?: () => number
}

/** Entra ID of each cloud, and what a token for Azure Monitor is asked for with. */
const azureClouds: Readonly<Record<AzureCloud, { readonly authority: string; readonly monitorScope: string }>> = {
  AzurePublic: { authority: 'https://login.microsoftonline.com', monitorScope: 'https://monitor.azure.com//.default' },
  AzureChina: { authority: 'https://login.chinacloudapi.cn', monitorScope: 'https://monitor.azure.cn//.default' },
  AzureGovernment: { authority: 'https://login.microsoftonline.us', monitorScope: 'https://monitor.azure.us//.default' },
}

const googleScope = 'https://www.googleapis.com/auth/monitoring.write'
const awsService = 'aps'

/** Nothing is asked before the first request. */
export function createCloudAuthorizer(auth: CloudAuth, given: CloudAuthorizerOptions = {}): CloudAuthorizer {
  const options = { ...given, http: cloudTransport(given.http) }
  switch (auth.kind) {
    case 'sigv4':
      return createSigner(new AwsAccount(auth.config, options), auth.config.serviceName ?? awsService, options.now ?? Date.now)
    case 'azuread': {
      const { cloud, identity, scope } = auth.config
      const { authority, monitorScope } = azureClouds[cloud]
      return createBearer(new AzureTokens({ ...options, identity, authority, scope: scope ?? monitorScope }))
    }
    case 'google_iam':
      return createBearer(new GoogleTokens({ ...options, ...auth.config, scope: googleScope }))
  }
}

function createSigner(account: AwsAccount, service: string, now: () => number): CloudAuthorizer {
  return {
    async authorize({ method, url, headers, body }) {
      const region = await account.region()
      if (region === undefined) throw new Error('region not configured in sigv4 or in default credentials chain')
      const credentials = await account.credentials()
      // What a proxy on the way may touch is not signed.
      const signed = Object.fromEntries(Object.entries(headers).filter(([name]) => isSigned(name.toLowerCase())))
      return signRequest({ method, url, headers: signed, body }, credentials, { region, service, nowMs: now() })
    },
    forget: () => account.forget(),
    close: () => account.close(),
  }
}

function isSigned(name: string): boolean {
  return name === 'content-type' || name === 'content-encoding' || name === 'x-prometheus-remote-write-version'
}

interface Tokens {
  token(): Promise<string>
  forget(): void
  close(): Promise<void>
}

function createBearer(tokens: Tokens): CloudAuthorizer {
  return {
    authorize: async () => ({ authorization: `Bearer ${await tokens.token()}` }),
    forget: () => tokens.forget(),
    close: () => tokens.close(),
  }
}
