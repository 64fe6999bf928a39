import { durationMs, filePath, list, secret, string, url } from './codec.ts'
import { splitGoUrl } from './go-url.ts'
import { httpClientConfig, type HttpClientConfig } from './http-client-config.ts'
import { field, inline, object, optional, type Checker, type ObjectCodec } from './object-codec.ts'
import type { Secret } from './secret.ts'
import { checkRefreshInterval, tagged } from './tagged-discovery.ts'

/** `etcd_sd_configs` entry; a mechanism of ours. */
export interface EtcdDiscovery {
  readonly mechanism: 'etcd'
  /** URLs of the members of one cluster, tried in turn. */
  readonly endpoints: readonly string[]
  /** Every key that begins with it. */
  readonly prefix: string
  /** etcd's own authentication; empty for none. */
  readonly username: string
  readonly password?: Secret
  readonly passwordFile?: string
  /** The keys are read anew at least this often, whatever the watch says. */
  readonly refreshIntervalMs: number
  readonly http: HttpClientConfig
}

export const etcdDiscovery: ObjectCodec<EtcdDiscovery> = tagged<EtcdDiscovery>(
  'etcd',
  object('etcd.plain', {
    endpoints: field('endpoints', list(url), [], { always: true }),
    prefix: field('prefix', string, '', { always: true }),
    username: field('username', string, ''),
    password: optional('password', secret),
    passwordFile: optional('password_file', filePath),
    refreshIntervalMs: field('refresh_interval', durationMs, 60_000),
    http: inline(httpClientConfig),
  }),
  checkEtcd,
)

function checkEtcd(config: Omit<EtcdDiscovery, 'mechanism'>, checker: Checker): void {
  const { fail } = checker
  if (config.endpoints.length === 0) fail('etcd SD configuration requires at least one endpoint', 'endpoints')
  for (const endpoint of config.endpoints) {
    const { scheme, host } = splitGoUrl(endpoint)
    if (scheme !== 'http' && scheme !== 'https')
      fail(`endpoint ${JSON.stringify(endpoint)}: URL scheme must be 'http' or 'https'`, 'endpoints')
    if (host === '' || !URL.canParse(endpoint)) fail(`endpoint ${JSON.stringify(endpoint)}: host is missing in URL`, 'endpoints')
  }
  if (config.prefix === '') fail('etcd SD configuration requires a prefix', 'prefix')
  const hasPassword = config.password !== undefined || config.passwordFile !== undefined
  if (config.password !== undefined && config.passwordFile !== undefined) {
    fail('at most one of password & password_file must be configured', 'password_file')
  }
  if (config.username === '' && hasPassword)
    fail('a password needs a username', config.password === undefined ? 'password_file' : 'password')
  if (config.username !== '' && !hasPassword) fail('a username needs a password or password_file', 'username')
  const { basicAuth, authorization, oauth2 } = config.http
  // The token of etcd goes into the header that these would set.
  if (config.username !== '' && (basicAuth !== undefined || authorization !== undefined || oauth2 !== undefined)) {
    fail('at most one of username, basic_auth, authorization & oauth2 must be configured', 'username')
  }
  checkRefreshInterval(config, checker)
}
