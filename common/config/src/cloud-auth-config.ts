import { boolean, filePath, secret, string } from './codec.ts'
import { dropEmpty } from './http-client-config.ts'
import { convertObject, field, object, optional, type Checker, type ObjectCodec } from './object-codec.ts'
import type { Secret } from './secret.ts'

/** `sigv4`: requests signed by AWS Signature Version 4. Without keys and profile, credentials come from AWS' usual places. */
export interface Sigv4Config {
  readonly region?: string
  readonly accessKey?: string
  readonly secretKey?: Secret
  readonly profile?: string
  readonly roleArn?: string
  readonly externalId?: string
  readonly useFipsStsEndpoint: boolean
  /** Default: `aps`. */
  readonly serviceName?: string
}

export type AzureCloud = 'AzurePublic' | 'AzureChina' | 'AzureGovernment'

/** One way to a token of Entra ID. */
export type AzureIdentity =
  | { readonly kind: 'managed_identity'; readonly clientId?: string }
  | { readonly kind: 'workload_identity'; readonly clientId: string; readonly tenantId: string; readonly tokenFilePath: string }
  | { readonly kind: 'oauth'; readonly clientId: string; readonly clientSecret: Secret; readonly tenantId: string }
  /** What the environment offers, as in Azure's libraries. */
  | { readonly kind: 'sdk'; readonly tenantId?: string }

export interface AzureAdConfig {
  readonly cloud: AzureCloud
  readonly identity: AzureIdentity
  /** Default: the scope of Azure Monitor in the cloud. */
  readonly scope?: string
}

export interface GoogleIamConfig {
  /** Default: application default credentials. */
  readonly credentialsFile?: string
}

/** How requests to a remote are authenticated by an account of a cloud. */
export type CloudAuth =
  | { readonly kind: 'sigv4'; readonly config: Sigv4Config }
  | { readonly kind: 'azuread'; readonly config: AzureAdConfig }
  | { readonly kind: 'google_iam'; readonly config: GoogleIamConfig }

export const sigv4Config: ObjectCodec<Sigv4Config> = object<Sigv4Config>(
  'sigv4.plain',
  {
    region: optional('region', string),
    accessKey: optional('access_key', string),
    secretKey: optional('secret_key', secret),
    profile: optional('profile', string),
    roleArn: optional('role_arn', string),
    externalId: optional('external_id', string),
    useFipsStsEndpoint: field('use_fips_sts_endpoint', boolean, false),
    serviceName: optional('service_name', string),
  },
  {
    check(given, { fail }) {
      const checked = dropEmpty(given)
      if ((checked.accessKey === undefined) !== (checked.secretKey === undefined)) {
        fail('must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config')
      }
      return checked
    },
  },
)

interface RawAzureAd {
  readonly managedIdentity?: { readonly clientId?: string }
  readonly workloadIdentity?: { readonly clientId: string; readonly tenantId: string; readonly tokenFilePath: string }
  readonly oauth?: { readonly clientId: string; readonly clientSecret?: Secret; readonly tenantId: string }
  readonly sdk?: { readonly tenantId?: string }
  readonly cloud: string
  readonly scope?: string
}

/** Where the webhook of workload identity puts the token. */
const tokenFileDefault = '/var/run/secrets/azure/tokens/azure-identity-token'

const rawAzureAd = object<RawAzureAd>('azuread.plain', {
  managedIdentity: optional('managed_identity', object('azuread.ManagedIdentityConfig', { clientId: optional('client_id', string) }), {
    always: true,
  }),
  workloadIdentity: optional(
    'workload_identity',
    object<NonNullable<RawAzureAd['workloadIdentity']>>('azuread.WorkloadIdentityConfig', {
      clientId: field('client_id', string, ''),
      tenantId: field('tenant_id', string, ''),
      tokenFilePath: field('token_file_path', filePath, tokenFileDefault),
    }),
  ),
  oauth: optional(
    'oauth',
    object<NonNullable<RawAzureAd['oauth']>>('azuread.OAuthConfig', {
      clientId: field('client_id', string, ''),
      clientSecret: optional('client_secret', secret),
      tenantId: field('tenant_id', string, ''),
    }),
  ),
  sdk: optional('sdk', object('azuread.SDKConfig', { tenantId: optional('tenant_id', string) }), { always: true }),
  cloud: field('cloud', string, ''),
  scope: optional('scope', string),
})

export const azureAdConfig: ObjectCodec<AzureAdConfig> = convertObject<RawAzureAd, AzureAdConfig>(
  rawAzureAd,
  checkAzureAd,
  ({ cloud, scope, identity }) => ({ cloud, ...(scope === undefined ? {} : { scope }), ...printIdentity(identity) }),
  { cloud: 'AzurePublic', identity: { kind: 'sdk' } },
)

const uuid = /^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$/i
const tenant = /^[0-9a-zA-Z.-]+$/
const scopeText = /^[\w\s:/.-]+$/
const clouds: readonly AzureCloud[] = ['AzurePublic', 'AzureChina', 'AzureGovernment']

function checkAzureAd(given: RawAzureAd, checker: Checker): AzureAdConfig {
  const { fail } = checker
  const { managedIdentity, workloadIdentity, oauth, sdk, scope } = dropEmpty(given)
  const cloud = given.cloud === '' ? 'AzurePublic' : clouds.find((known) => known === given.cloud)
  if (cloud === undefined) return fail('must provide a cloud in the Azure AD config', 'cloud')
  const ways = [managedIdentity, workloadIdentity, oauth, sdk].filter((way) => way !== undefined)
  if (ways.length === 0) {
    fail('must provide an Azure Managed Identity, Azure Workload Identity, Azure OAuth or Azure SDK in the Azure AD config')
  }
  if (ways.length > 1) fail('cannot provide multiple authentication methods in the Azure AD config')
  if (scope !== undefined && !scopeText.test(scope)) fail('the provided scope contains invalid characters', 'scope')
  const identity = checkIdentity({ managedIdentity, workloadIdentity, oauth, sdk }, checker)
  return { cloud, identity, ...(scope === undefined ? {} : { scope }) }
}

function checkIdentity(
  given: { readonly [Key in 'managedIdentity' | 'workloadIdentity' | 'oauth' | 'sdk']: RawAzureAd[Key] | undefined },
  { fail }: Checker,
): AzureIdentity {
  const { managedIdentity, workloadIdentity, oauth } = given
  function checkIds(way: string, clientId: string | undefined, tenantId: string | undefined, key: string): void {
    if (clientId !== undefined && !uuid.test(clientId)) fail(`the provided Azure ${way} client_id is invalid`, key)
    if (tenantId !== undefined && !tenant.test(tenantId)) fail(`the provided Azure ${way} tenant_id is invalid`, key)
  }
  if (managedIdentity !== undefined) {
    const { clientId } = dropEmpty(managedIdentity)
    checkIds('Managed Identity', clientId, undefined, 'managed_identity')
    return { kind: 'managed_identity', ...(clientId === undefined ? {} : { clientId }) }
  }
  if (workloadIdentity !== undefined) {
    for (const [key, value] of [
      ['client_id', workloadIdentity.clientId],
      ['tenant_id', workloadIdentity.tenantId],
    ] as const) {
      if (value === '') fail(`must provide an Azure Workload Identity ${key} in the Azure AD config`, 'workload_identity')
    }
    checkIds('Workload Identity', workloadIdentity.clientId, workloadIdentity.tenantId, 'workload_identity')
    return { kind: 'workload_identity', ...workloadIdentity, tokenFilePath: workloadIdentity.tokenFilePath || tokenFileDefault }
  }
  if (oauth !== undefined) {
    const { clientId, clientSecret, tenantId } = oauth
    if (clientId === '') fail('must provide an Azure OAuth client_id in the Azure AD config', 'oauth')
    if (clientSecret === undefined || clientSecret.isEmpty) {
      return fail('must provide an Azure OAuth client_secret in the Azure AD config', 'oauth')
    }
    if (tenantId === '') fail('must provide an Azure OAuth tenant_id in the Azure AD config', 'oauth')
    checkIds('OAuth', clientId, tenantId, 'oauth')
    return { kind: 'oauth', clientId, clientSecret, tenantId }
  }
  const { tenantId } = dropEmpty(given.sdk ?? {})
  checkIds('OAuth', undefined, tenantId, 'sdk')
  return { kind: 'sdk', ...(tenantId === undefined ? {} : { tenantId }) }
}

function printIdentity(identity: AzureIdentity): Partial<RawAzureAd> {
  switch (identity.kind) {
    case 'managed_identity':
      return { managedIdentity: identity }
    case 'workload_identity':
      return { workloadIdentity: identity }
    case 'oauth':
      return { oauth: identity }
    case 'sdk':
      return { sdk: identity }
  }
}

export const googleIamConfig: ObjectCodec<GoogleIamConfig> = object<GoogleIamConfig>(
  'googleiam.Config',
  { credentialsFile: optional('credentials_file', filePath) },
  { check: (given) => dropEmpty(given) },
)
