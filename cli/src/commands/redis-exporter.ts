import { Secret } from '@narthex/config/secret'
import { redisExporterEnvironment, redisExporterFlags } from '@narthex/exporter-redis/flags'
import { createRedisExporter, type RedisExporter } from '@narthex/exporter-redis/redis-exporter'
import { pickGivenFlags } from '@narthex/exporter-kit/command-flags'
import type { Page, PageServerOptions } from '@narthex/exporter-kit/page-server'
import type { PasswordVerifier } from '@narthex/http/basic-auth'
import { flag } from '@narthex/service/flag-spec'
import type { FlagValues } from '@narthex/service/flag-reading'
import { parseFlags } from '@narthex/service/plain-flags'
import type { MainContext } from '@narthex/service/lifecycle'
import type { Logger, LogLevel } from '@narthex/service/logger'
import { UserError } from '@narthex/service/user-error'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createPasswordVerifier } from '../password-verifier.ts'
import { version, versionText } from '../version.ts'
import { listenAddressFlag, webConfigFileFlag } from './exporter-flags.ts'
import { describeFlagsWithEnvironment } from './flag-environment.ts'
import { getPage, healthPage, reloadPage, serveExporter, startExporterLog } from './serve-exporter.ts'

// narthex exporter redis: redis_exporter's flags, environment variables, port, pages and metrics.

const env = (name: string): { env: string } => ({ env: `REDIS_EXPORTER_${name}` })

const logLevels: ReadonlyMap<string, LogLevel> = new Map([
  ['trace', 'debug'],
  ['debug', 'debug'],
  ['info', 'info'],
  ['warn', 'warn'],
  ['warning', 'warn'],
  ['error', 'error'],
  ['fatal', 'error'],
  ['panic', 'error'],
])

const listenerFlags = {
  listenAddress: { ...listenAddressFlag(':9121'), ...env('WEB_LISTEN_ADDRESS') },
  webConfigFile: webConfigFileFlag,
  tlsCertFile: flag.text('tls-server-cert-file', 'Certificate of the web interface.', '', env('TLS_SERVER_CERT_FILE')),
  tlsKeyFile: flag.text('tls-server-key-file', 'Key of the certificate of the web interface.', '', env('TLS_SERVER_KEY_FILE')),
  tlsCaFile: flag.text('tls-server-ca-cert-file', 'CA that clients of the web interface must have a certificate of.', '', {
    ...env('TLS_SERVER_CA_CERT_FILE'),
  }),
  tlsMinVersion: flag.choice(
    'tls-server-min-version',
    'Lowest TLS version of the web interface.',
    ['TLS1.0', 'TLS1.1', 'TLS1.2', 'TLS1.3'],
    'TLS1.2',
    env('TLS_SERVER_MIN_VERSION'),
  ),
  authUser: flag.text('basic-auth-username', 'User name for the web interface.', '', env('BASIC_AUTH_USERNAME')),
  authPassword: flag.text('basic-auth-password', 'Password for the web interface.', '', env('BASIC_AUTH_PASSWORD')),
  authHash: flag.text('basic-auth-hash-password', 'bcrypt hash of the password for the web interface.', '', {
    ...env('BASIC_AUTH_HASH_PASSWORD'),
  }),
  isDebug: flag.boolean('debug', 'Log verbosely.', env('DEBUG')),
  logLevel: flag.custom('log-level', 'Only log messages with the given severity or above.', readLogLevel, {
    default: 'INFO',
    ...env('LOG_LEVEL'),
  }),
  logFormat: flag.text('log-format', 'Output format of log messages: json, or text for any other word.', 'txt', env('LOG_FORMAT')),
}

type ListenerValues = FlagValues<typeof listenerFlags>

export async function runRedisExporter(argv: readonly string[], context: MainContext): Promise<void> {
  const { values, given, unreadVariables } = parseFlags(
    {
      name: 'redis_exporter',
      help: 'Prometheus metrics of Redis and Valkey servers.',
      version: versionText('redis_exporter'),
      flags: { ...describeFlagsWithEnvironment(redisExporterFlags, redisExporterEnvironment), ...listenerFlags },
      acceptsSingleDash: true,
      skipsUnreadVariables: true,
      exitCodes: { usage: 2, value: 2 },
    },
    argv,
  )
  const level = values.isDebug ? 'debug' : (values.logLevel ?? 'info')
  const format = values.logFormat === 'json' ? 'json' : 'logfmt'
  const log = startExporterLog(context, { level, format }, redisExporterFlags, given)
  for (const { name, reason } of unreadVariables) log.warn(`environment variable ${name} has no effect`, { err: reason })
  const exporter = buildRedisExporter(pickGivenFlags(redisExporterFlags, values, given), log)
  const webConfig = prepareWebConfig(values)
  if (webConfig.directory !== undefined)
    context.onStop('temporary files', () => rmSync(webConfig.directory!, { recursive: true, force: true }))
  const users = readUsers(values)
  await serveExporter(context, log, exporter, {
    name: 'Redis exporter',
    listenAddress: values.listenAddress,
    webConfigFile: webConfig.file,
    closes: 'connections',
    landsEverywhere: true,
    ...(users === undefined ? {} : { users }),
    pages: redisPages(exporter, () => context.reload()),
  })
}

/** The exporter with this program's build information; flags and files that cannot be used are a user's error. */
function buildRedisExporter(flags: Readonly<Record<string, unknown>>, log: Logger): RedisExporter {
  try {
    return createRedisExporter({ flags, log, buildInfo: { version, revision: 'narthex', branch: 'narthex' } })
  } catch (cause) {
    throw new UserError(`redis_exporter: ${(cause as Error).message}`, 1, { cause })
  }
}

function redisPages(exporter: RedisExporter, reload: () => Promise<void>): Page[] {
  return [
    ...(exporter.isScrapeDisabled ? [] : [getPage('/scrape', (request) => exporter.handleScrape(request))]),
    healthPage('/health'),
    getPage('/discover-cluster-nodes', () => exporter.discoverClusterNodes()),
    reloadPage(['POST'], reload, 'passwords', 'ok'),
  ]
}

interface WebConfigFile {
  readonly file: string
  /** To be removed at the end. */
  readonly directory: string | undefined
}

// The server kit reads certificates from a web config file, and again when they change: the flags become such a file.
function prepareWebConfig({ webConfigFile, tlsCertFile, tlsKeyFile, tlsCaFile, tlsMinVersion }: ListenerValues): WebConfigFile {
  if (tlsCertFile === '' && tlsKeyFile === '') return { file: webConfigFile, directory: undefined }
  if (tlsCertFile === '' || tlsKeyFile === '') {
    throw new UserError('redis_exporter: want both --tls-server-cert-file and --tls-server-key-file, got one')
  }
  if (webConfigFile !== '') throw new UserError('redis_exporter: want --web.config.file or --tls-server-cert-file, got both')
  const config = {
    tls_server_config: {
      cert_file: resolve(tlsCertFile),
      key_file: resolve(tlsKeyFile),
      min_version: tlsMinVersion.replace('.', ''),
      ...(tlsCaFile === '' ? {} : { client_ca_file: resolve(tlsCaFile), client_auth_type: 'RequireAndVerifyClientCert' }),
    },
  }
  const directory = mkdtempSync(join(tmpdir(), 'narthex-redis-exporter-'))
  const file = join(directory, 'web-config.yml')
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
  return { file, directory }
}

function readUsers({ authUser, authPassword, authHash }: ListenerValues): PageServerOptions['users'] {
  if (authUser === '' && authPassword === '' && authHash === '') return undefined
  if (authUser === '' || (authPassword === '') === (authHash === '')) {
    throw new UserError('redis_exporter: want --basic-auth-username with one of --basic-auth-password and --basic-auth-hash-password')
  }
  const known = { [authUser]: new Secret(authHash === '' ? authPassword : authHash) }
  return { known, verify: authHash === '' ? isSamePassword : createPasswordVerifier() }
}

// Hashes have one length, so that the time of the comparison tells nothing of the password.
const isSamePassword: PasswordVerifier = (given, wanted) => {
  const { hash, timingSafeEqual } = process.getBuiltinModule('node:crypto')
  return Promise.resolve(timingSafeEqual(hash('sha256', given, 'buffer'), hash('sha256', wanted, 'buffer')))
}

function readLogLevel(text: string): LogLevel {
  const level = logLevels.get(text.toLowerCase())
  if (level === undefined) throw new Error(`want one of DEBUG, INFO, WARN, ERROR, got ${JSON.stringify(text)}`)
  return level
}
