import { boolean, durationMs, list, map, secret, string } from './codec.ts'
import { httpClientConfig, type HttpClientConfig } from './http-client-config.ts'
import { field, inline, object, optional, type Checker, type ObjectCodec } from './object-codec.ts'
import type { Secret } from './secret.ts'
import { checkRefreshInterval, tagged } from './tagged-discovery.ts'

/** `consul_sd_configs` entry. */
export interface ConsulDiscovery {
  readonly mechanism: 'consul'
  /** `host:port`, with a scheme in front if the file says so (`unix:///run/consul.sock`). */
  readonly server: string
  readonly pathPrefix: string
  readonly token?: Secret
  /** Empty: the one that the server names as its own. */
  readonly datacenter: string
  readonly namespace: string
  readonly partition: string
  readonly tagSeparator: string
  readonly scheme: string
  readonly username: string
  readonly password?: Secret
  readonly allowStale: boolean
  readonly refreshIntervalMs: number
  /** Empty: every service. */
  readonly services: readonly string[]
  /** A service must have all of them. */
  readonly tags: readonly string[]
  readonly nodeMeta: Readonly<Record<string, string>>
  readonly filter: string
  readonly healthFilter: string
  /** Ours: the services of the agent at `server` alone, asked of it and not of the catalog. */
  readonly agent: boolean
  readonly http: HttpClientConfig
}

export const consulDiscovery: ObjectCodec<ConsulDiscovery> = tagged<ConsulDiscovery>(
  'consul',
  object('consul.plain', {
    server: field('server', string, 'localhost:8500', { always: true }),
    pathPrefix: field('path_prefix', string, ''),
    token: optional('token', secret),
    datacenter: field('datacenter', string, ''),
    namespace: field('namespace', string, ''),
    partition: field('partition', string, ''),
    tagSeparator: field('tag_separator', string, ','),
    scheme: field('scheme', string, 'http'),
    username: field('username', string, ''),
    password: optional('password', secret),
    allowStale: field('allow_stale', boolean, true, { always: true }),
    refreshIntervalMs: field('refresh_interval', durationMs, 30_000),
    services: field('services', list(string), []),
    tags: field('tags', list(string), []),
    nodeMeta: field('node_meta', map(string), {}),
    filter: field('filter', string, ''),
    healthFilter: field('health_filter', string, ''),
    agent: field('agent', boolean, false),
    http: inline(httpClientConfig),
  }),
  checkConsul,
)

function checkConsul(config: Omit<ConsulDiscovery, 'mechanism'>, checker: Checker): void {
  const { fail } = checker
  const { http } = config
  if (config.server.trim() === '') fail('consul SD configuration requires a server address', 'server')
  const hasUser = config.username !== '' || config.password !== undefined
  if (hasUser && http.basicAuth !== undefined) {
    fail('at most one of consul SD configuration username and password and basic auth can be configured', 'basic_auth')
  }
  if (config.token !== undefined && (http.authorization !== undefined || http.oauth2 !== undefined)) {
    fail('at most one of consul SD token, authorization, or oauth2 can be configured', 'token')
  }
  if (!['', 'http', 'https'].includes(config.scheme)) fail("consul SD scheme must be 'http' or 'https'", 'scheme')
  checkRefreshInterval(config, checker)
  if (!config.agent) return
  if (config.healthFilter !== '') fail('health_filter asks the catalog: it cannot be used together with agent', 'health_filter')
  if (config.datacenter !== '') fail('an agent knows its own datacenter only: datacenter cannot be used together with agent', 'datacenter')
}
