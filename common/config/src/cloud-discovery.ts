import { boolean, durationMs, filePath, integer, list, secret, string, text } from './codec.ts'
import type { OtherDiscovery } from './discovery-config.ts'
import { checkGoUrl, splitGoUrl } from './go-url.ts'
import { httpClientConfig } from './http-client-config.ts'
import { convertObject, field, inline, object, optional, type Checker, type Field, type ObjectCodec } from './object-codec.ts'
import { Secret } from './secret.ts'
import type { Codec } from './yaml-decode.ts'

// Mechanisms that nothing discovers by so far: their keys and the checks of their Go packages.

type Config = Readonly<Record<string, unknown>>
type Keys = Readonly<Record<string, Codec<unknown> | readonly [Codec<unknown>, unknown]>>

const filterList = list(
  object<{ name: string; values: readonly string[] }>('aws.EC2Filter', {
    name: field('name', string, ''),
    values: field('values', list(string), []),
  }),
)

/** One mechanism: keys with their codecs (and defaults); `http` adds the keys of http_config. */
function mechanism(
  key: string,
  goPackage: string,
  keys: Keys,
  options: { readonly http?: boolean; readonly check?: (config: Config, checker: Checker) => void } = {},
): ObjectCodec<OtherDiscovery> {
  const fields = Object.fromEntries(
    Object.entries(keys).map(([name, described]): [string, Field<unknown>] => {
      const [codec, initial] = Array.isArray(described) ? described : [described, undefined]
      return [name, initial === undefined ? optional(name, codec) : field(name, codec, initial)]
    }),
  )
  const own = object<Config>(`${goPackage}.plain`, fields)
  const whole =
    options.http === false
      ? object<Config>(`${goPackage}.plain`, { own: inline(own) })
      : object<Config>(`${goPackage}.plain`, { own: inline(own), http: inline(httpClientConfig) })
  return convertObject<Config, OtherDiscovery>(
    whole,
    (raw, checker) => {
      options.check?.(raw['own'] as Config, checker)
      return { mechanism: 'other', key, config: { ...(raw['own'] as Config), ...(options.http === false ? {} : { http: raw['http'] }) } }
    },
    ({ config: { http, ...rest } }) => ({ own: rest, http }),
    { mechanism: 'other', key, config: {} },
  )
}

function isSet(value: unknown): boolean {
  return value instanceof Secret ? !value.isEmpty : value !== undefined && value !== ''
}

function requireOne(config: Config, checker: Checker, names: readonly [string, string]): void {
  if (isSet(config[names[0]]) && isSet(config[names[1]]))
    checker.fail(`at most one of ${names[0]} & ${names[1]} must be configured`, names[1])
  if (!isSet(config[names[0]]) && !isSet(config[names[1]])) checker.fail(`one of ${names[0]} & ${names[1]} must be configured`)
}

function checkRole(
  config: Config,
  { fail }: Checker,
  roles: readonly string[],
  unknownText: (role: string) => string,
  missingText: string,
): void {
  const role = config['role']
  if (role === undefined) fail(missingText)
  if (!roles.includes(String(role))) fail(unknownText(String(role)), 'role')
}

const refresh = [durationMs, 60_000] as const
const port = [integer, 80] as const

const aws: Keys = {
  endpoint: string,
  region: string,
  access_key: string,
  secret_key: secret,
  profile: string,
  role_arn: string,
  external_id: string,
  port,
  refresh_interval: refresh,
}

const zookeeper: Keys = { servers: list(string), paths: list(string), timeout: [durationMs, 10_000] }

function checkZookeeper(name: string) {
  return (config: Config, { fail }: Checker): void => {
    const servers = config['servers'] as readonly string[] | undefined
    const paths = config['paths'] as readonly string[] | undefined
    if (servers === undefined || servers.length === 0) return fail(`${name} SD config must contain at least one Zookeeper server`)
    if (paths === undefined || paths.length === 0) return fail(`${name} SD config must contain at least one path`)
    const bad = paths.find((path) => !path.startsWith('/'))
    if (bad !== undefined) fail(`${name} SD config paths must begin with '/': ${bad}`, 'paths')
  }
}

const all: readonly ObjectCodec<OtherDiscovery>[] = [
  mechanism('aws_sd_configs', 'aws', { ...aws, role: string, filters: filterList, clusters: list(string), request_concurrency: integer }),
  mechanism('digitalocean_sd_configs', 'digitalocean', { refresh_interval: refresh, port }),
  mechanism(
    'dockerswarm_sd_configs',
    'moby',
    { host: string, role: string, port, filters: filterList, refresh_interval: refresh },
    {
      check(config, checker) {
        if (!isSet(config['host'])) checker.fail('host missing')
        checkRole(
          { role: config['role'] || undefined },
          checker,
          ['services', 'nodes', 'tasks'],
          (role) => `invalid role ${role}, expected tasks, services, or nodes`,
          'role missing (one of: tasks, services, nodes)',
        )
      },
    },
  ),
  mechanism(
    'eureka_sd_configs',
    'eureka',
    { server: string, refresh_interval: [durationMs, 30_000] },
    {
      check({ server }, { fail }) {
        if (!isSet(server)) fail('eureka_sd: empty or null eureka server')
        const { scheme, host } = splitGoUrl(String(server))
        if (scheme === '' || host === '') fail('eureka_sd: invalid eureka server URL', 'server')
      },
    },
  ),
  mechanism(
    'hetzner_sd_configs',
    'hetzner',
    { refresh_interval: refresh, port, role: text, label_selector: string },
    {
      check: (config, checker) =>
        checkRole(
          config,
          checker,
          ['robot', 'hcloud'],
          (role) => `unknown role ${JSON.stringify(role)}`,
          'role missing (one of: robot, hcloud)',
        ),
    },
  ),
  mechanism(
    'ionos_sd_configs',
    'ionos',
    { datacenter_id: string, ionos_endpoint: string, refresh_interval: refresh, port },
    { check: (config, { fail }) => void (isSet(config['datacenter_id']) || fail("datacenter id can't be empty")) },
  ),
  mechanism(
    'kuma_sd_configs',
    'xds',
    { server: string, refresh_interval: [durationMs, 30_000], fetch_timeout: [durationMs, 120_000], client_id: string },
    {
      check({ server }, { fail }) {
        if (!isSet(server)) fail('kuma SD server must not be empty: ')
        const { scheme, host } = splitGoUrl(String(server))
        if (scheme === '' || host === '') fail(`kuma SD server must not be empty and have a scheme: ${String(server)}`, 'server')
      },
    },
  ),
  mechanism('lightsail_sd_configs', 'aws', aws),
  mechanism('linode_sd_configs', 'linode', { refresh_interval: refresh, port, tag_separator: [string, ','], region: string }),
  mechanism(
    'marathon_sd_configs',
    'marathon',
    { servers: list(string), refresh_interval: [durationMs, 30_000], auth_token: secret, auth_token_file: filePath },
    { check: checkMarathon },
  ),
  mechanism('nerve_sd_configs', 'zookeeper', zookeeper, { http: false, check: checkZookeeper('nerve') }),
  mechanism(
    'nomad_sd_configs',
    'nomad',
    {
      allow_stale: [boolean, true],
      namespace: [string, 'default'],
      refresh_interval: refresh,
      region: [string, 'global'],
      server: [string, 'http://localhost:4646'],
      tag_separator: [string, ','],
    },
    {
      check: (config, { fail }) =>
        void (String(config['server']).trim() !== '' || fail('nomad SD configuration requires a server address')),
    },
  ),
  mechanism('oci_sd_configs', 'oci', {
    region: string,
    tenancy: string,
    user: string,
    fingerprint: string,
    key_file: filePath,
    key_passphrase: secret,
    compartments: list(string),
    port,
    refresh_interval: refresh,
    authentication_method: string,
  }),
  mechanism('openstack_sd_configs', 'openstack', openstackKeys(), {
    check(config, checker) {
      checkRole(
        config,
        checker,
        ['instance', 'hypervisor', 'loadbalancer'],
        (role) => `unknown OpenStack SD role ${JSON.stringify(role)}`,
        'role missing (one of: instance, hypervisor, loadbalancer)',
      )
      if (!isSet(config['region'])) checker.fail('openstack SD configuration requires a region')
    },
  }),
  mechanism(
    'outscale_sd_configs',
    'outscale',
    {
      region: string,
      access_key: string,
      secret_key: secret,
      secret_key_file: filePath,
      endpoint: string,
      port,
      refresh_interval: refresh,
    },
    {
      check(config, checker) {
        if (!isSet(config['region'])) checker.fail('outscale SD configuration requires a region')
        if (!isSet(config['access_key'])) checker.fail('outscale SD configuration requires an access_key')
        requireOne(config, checker, ['secret_key', 'secret_key_file'])
      },
    },
  ),
  mechanism(
    'ovhcloud_sd_configs',
    'ovhcloud',
    {
      endpoint: [string, 'ovh-eu'],
      application_key: string,
      application_secret: secret,
      consumer_key: secret,
      service: string,
      refresh_interval: refresh,
    },
    {
      http: false,
      check(config, { fail }) {
        for (const [key, words] of [
          ['endpoint', 'endpoint'],
          ['application_key', 'application key'],
          ['application_secret', 'application secret'],
          ['consumer_key', 'consumer key'],
        ] as const) {
          if (!isSet(config[key])) fail(`${words} can not be empty`)
        }
        if (!['vps', 'dedicated_server'].includes(String(config['service'])))
          fail(`unknown service: ${String(config['service'] ?? '')}`, 'service')
      },
    },
  ),
  mechanism(
    'puppetdb_sd_configs',
    'puppetdb',
    { url: string, query: string, include_parameters: boolean, port, refresh_interval: refresh },
    { check: checkPuppetdb },
  ),
  mechanism(
    'scaleway_sd_configs',
    'scaleway',
    {
      access_key: string,
      secret_key: secret,
      secret_key_file: filePath,
      project_id: string,
      api_url: [string, 'https://api.scaleway.com'],
      zone: [string, 'fr-par-1'],
      role: text,
      name_filter: string,
      tags_filter: list(string),
      refresh_interval: refresh,
      port,
    },
    {
      check(config, checker) {
        checkRole(
          config,
          checker,
          ['instance', 'baremetal'],
          (role) => `unknown role ${JSON.stringify(role)}`,
          'role missing (one of: instance, baremetal)',
        )
        if (!isSet(config['project_id'])) checker.fail('project_id is mandatory')
        if (!isSet(config['access_key'])) checker.fail('access_key is mandatory')
        requireOne(config, checker, ['secret_key', 'secret_key_file'])
      },
    },
  ),
  mechanism('serverset_sd_configs', 'zookeeper', zookeeper, { http: false, check: checkZookeeper('serverset') }),
  mechanism(
    'stackit_sd_configs',
    'stackit',
    {
      project: string,
      region: string,
      endpoint: string,
      port,
      refresh_interval: refresh,
      service_account_key: secret,
      private_key: secret,
      service_account_key_path: filePath,
      private_key_path: filePath,
      credentials_file_path: filePath,
      token_url: string,
    },
    {
      check({ endpoint }, { fail }) {
        const problem = isSet(endpoint) ? checkGoUrl(String(endpoint)) : undefined
        if (problem !== undefined)
          fail(`stackit_sd: invalid endpoint ${JSON.stringify(endpoint)}: parse ${JSON.stringify(endpoint)}: ${problem}`, 'endpoint')
      },
    },
  ),
  mechanism(
    'triton_sd_configs',
    'triton',
    {
      account: string,
      role: [string, 'container'],
      dns_suffix: string,
      endpoint: string,
      groups: list(string),
      port: [integer, 9163],
      refresh_interval: refresh,
      version: [integer, 1],
    },
    {
      check(config, { fail }) {
        if (!['container', 'cn'].includes(String(config['role'])))
          fail("triton SD configuration requires role to be 'container' or 'cn'", 'role')
        for (const key of ['account', 'dns_suffix', 'endpoint'])
          if (!isSet(config[key])) fail(`triton SD configuration requires ${key === 'dns_suffix' ? 'a' : 'an'} ${key}`)
        if (Number(config['refresh_interval']) <= 0)
          fail('triton SD configuration requires RefreshInterval to be a positive integer', 'refresh_interval')
      },
    },
  ),
  mechanism(
    'uyuni_sd_configs',
    'uyuni',
    {
      server: string,
      username: string,
      password: secret,
      entitlement: [string, 'monitoring_entitled'],
      separator: [string, ','],
      refresh_interval: refresh,
    },
    {
      check(config, { fail }) {
        if (!isSet(config['server'])) fail('Uyuni SD configuration requires server host')
        const problem = checkGoUrl(String(config['server']))
        if (problem !== undefined) fail(`Uyuni Server URL is not valid: ${problem}`, 'server')
        if (!isSet(config['username'])) fail('Uyuni SD configuration requires a username')
        if (!isSet(config['password'])) fail('Uyuni SD configuration requires a password')
      },
    },
  ),
  mechanism('vultr_sd_configs', 'vultr', { refresh_interval: refresh, port }),
]

/** Codec of one entry by key. */
export const cloudDiscoveries: Readonly<Record<string, Codec<OtherDiscovery>>> = Object.fromEntries(
  all.map((codec) => [(codec.defaults() as OtherDiscovery).key, codec]),
)

function checkMarathon(config: Config, { fail, has }: Checker): void {
  const servers = config['servers'] as readonly string[] | undefined
  if (servers === undefined || servers.length === 0) fail('marathon_sd: must contain at least one Marathon server')
  const hasToken = isSet(config['auth_token']) || isSet(config['auth_token_file'])
  if (isSet(config['auth_token']) && isSet(config['auth_token_file']))
    fail('marathon_sd: at most one of auth_token & auth_token_file must be configured')
  if (!hasToken) return
  if (has('basic_auth')) fail('marathon_sd: at most one of basic_auth, auth_token & auth_token_file must be configured')
  if (has('bearer_token') || has('bearer_token_file')) {
    fail('marathon_sd: at most one of bearer_token, bearer_token_file, auth_token & auth_token_file must be configured')
  }
  if (has('authorization')) fail('marathon_sd: at most one of auth_token, auth_token_file & authorization must be configured')
}

function checkPuppetdb(config: Config, { fail }: Checker): void {
  if (!isSet(config['url'])) fail('URL is missing')
  const { scheme, host } = splitGoUrl(String(config['url']))
  if (scheme !== 'http' && scheme !== 'https') fail("URL scheme must be 'http' or 'https'", 'url')
  if (host === '') fail('host is missing in URL', 'url')
  if (!isSet(config['query'])) fail('query missing')
}

function openstackKeys(): Keys {
  const texts = ['identity_endpoint', 'username', 'userid', 'project_name', 'project_id', 'domain_name', 'domain_id']
  return {
    ...Object.fromEntries(texts.map((name) => [name, string])),
    password: secret,
    application_credential_name: string,
    application_credential_id: string,
    application_credential_secret: secret,
    role: text,
    region: string,
    refresh_interval: refresh,
    port,
    all_tenants: boolean,
    availability: [string, 'public'],
  }
}
