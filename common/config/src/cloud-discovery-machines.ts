import { choice, durationMs, integer, list, secret, string } from './codec.ts'
import { dropEmpty, httpClientConfig, type HttpClientConfig } from './http-client-config.ts'
import { field, inline, object, optional, type Checker, type ObjectCodec } from './object-codec.ts'
import type { Secret } from './secret.ts'
import { checkRefreshInterval, tagged } from './tagged-discovery.ts'

// Mechanisms that list the machines of an account at a cloud.

/** `ec2_sd_configs` entry. Without keys and profile, credentials come from AWS' usual places. */
export interface Ec2Discovery {
  readonly mechanism: 'ec2'
  /** Instead of the region's own, such as `https://ec2.eu-west-1.amazonaws.com`. */
  readonly endpoint?: string
  readonly region?: string
  readonly accessKey?: string
  readonly secretKey?: Secret
  readonly profile?: string
  readonly roleArn?: string
  readonly externalId?: string
  readonly port: number
  readonly refreshIntervalMs: number
  readonly filters: readonly { readonly name: string; readonly values: readonly string[] }[]
  readonly http: HttpClientConfig
}

/** `gce_sd_configs` entry: the machines of one project in one zone. */
export interface GceDiscovery {
  readonly mechanism: 'gce'
  readonly project: string
  readonly zone: string
  /** In the language of the API's parameter of that name. */
  readonly filter?: string
  readonly port: number
  readonly tagSeparator: string
  readonly refreshIntervalMs: number
}

export type AzureMethod = 'OAuth' | 'ManagedIdentity' | 'SDK'

/** `azure_sd_configs` entry: the machines of one subscription, or of one of its resource groups. */
export interface AzureDiscovery {
  readonly mechanism: 'azure'
  /** Name of the cloud, such as `AzurePublicCloud`. */
  readonly environment: string
  readonly port: number
  readonly subscriptionId: string
  readonly tenantId?: string
  readonly clientId?: string
  readonly clientSecret?: Secret
  readonly authenticationMethod: AzureMethod
  readonly resourceGroup?: string
  readonly refreshIntervalMs: number
  readonly http: HttpClientConfig
}

const minute = 60_000

const filters = list(
  object<Ec2Discovery['filters'][number]>('aws.EC2Filter', {
    name: field('name', string, '', { always: true }),
    values: field('values', list(string), [], { always: true }),
  }),
)

export const ec2Discovery: ObjectCodec<Ec2Discovery> = tagged<Ec2Discovery>(
  'ec2',
  object('aws.plain', {
    endpoint: optional('endpoint', string),
    region: optional('region', string),
    accessKey: optional('access_key', string),
    secretKey: optional('secret_key', secret),
    profile: optional('profile', string),
    roleArn: optional('role_arn', string),
    externalId: optional('external_id', string),
    port: field('port', integer, 80, { always: true }),
    refreshIntervalMs: field('refresh_interval', durationMs, minute),
    filters: field('filters', filters, [], { always: true }),
    http: inline(httpClientConfig),
  }),
  checkEc2,
)

function checkEc2(config: Omit<Ec2Discovery, 'mechanism'>, checker: Checker): void {
  const { fail } = checker
  if (config.filters.some(({ values }) => values.length === 0)) fail('EC2 SD configuration filter values cannot be empty', 'filters')
  const { accessKey, secretKey } = dropEmpty({ accessKey: config.accessKey, secretKey: config.secretKey })
  // Prometheus takes one key alone and fails with each request.
  if ((accessKey === undefined) !== (secretKey === undefined)) fail('EC2 SD configuration requires both access_key and secret_key')
  checkRefreshInterval(config, checker)
}

export const gceDiscovery: ObjectCodec<GceDiscovery> = tagged<GceDiscovery>(
  'gce',
  object('gce.plain', {
    project: field('project', string, '', { always: true }),
    zone: field('zone', string, '', { always: true }),
    filter: optional('filter', string),
    refreshIntervalMs: field('refresh_interval', durationMs, minute),
    port: field('port', integer, 80, { always: true }),
    tagSeparator: field('tag_separator', string, ','),
  }),
  (config, checker) => {
    if (config.project === '') checker.fail('GCE SD configuration requires a project')
    if (config.zone === '') checker.fail('GCE SD configuration requires a zone')
    checkRefreshInterval(config, checker)
  },
)

const azureMethod = choice(
  ['OAuth', 'ManagedIdentity', 'SDK'],
  (given) => `unknown authentication_type ${JSON.stringify(given)}. Supported types are "OAuth", "ManagedIdentity" or "SDK"`,
)

export const azureDiscovery: ObjectCodec<AzureDiscovery> = tagged<AzureDiscovery>(
  'azure',
  object('azure.plain', {
    environment: field('environment', string, 'AzurePublicCloud'),
    port: field('port', integer, 80, { always: true }),
    subscriptionId: field('subscription_id', string, '', { always: true }),
    tenantId: optional('tenant_id', string),
    clientId: optional('client_id', string),
    clientSecret: optional('client_secret', secret),
    refreshIntervalMs: field('refresh_interval', durationMs, 5 * minute),
    authenticationMethod: field<AzureMethod>('authentication_method', azureMethod, 'OAuth'),
    resourceGroup: optional('resource_group', string),
    http: inline(httpClientConfig),
  }),
  checkAzure,
)

function checkAzure(config: Omit<AzureDiscovery, 'mechanism'>, checker: Checker): void {
  const { fail } = checker
  const { subscriptionId, tenantId, clientId, clientSecret, authenticationMethod: method } = config
  if (subscriptionId === '') fail('azure SD configuration requires a subscription_id')
  if (method === 'OAuth') {
    if ((tenantId ?? '') === '') fail('azure SD configuration requires a tenant_id', 'tenant_id')
    if ((clientId ?? '') === '') fail('azure SD configuration requires a client_id', 'client_id')
    if (clientSecret === undefined || clientSecret.isEmpty) fail('azure SD configuration requires a client_secret', 'client_secret')
  }
  checkRefreshInterval(config, checker)
}
