import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'

/** A flag and the environment variables that give its value when the command line does not. */
interface RedisFlag {
  readonly spec: FlagSpec
  readonly env: string
}

const flags: readonly RedisFlag[] = [
  text('redis.addr', 'REDIS_ADDR', 'Address of the Redis instance to scrape; empty: only /scrape?target=.', 'redis://localhost:6379'),
  text('redis.user', 'REDIS_USER', 'User name for authentication (ACL of Redis 6.0 and newer).'),
  text('redis.password', 'REDIS_PASSWORD', 'Password of the Redis instance to scrape.'),
  text('redis.password-file', 'REDIS_PASSWORD_FILE', 'JSON file with passwords by address.'),
  text('namespace', 'REDIS_EXPORTER_NAMESPACE', 'First word of all metric names.', 'redis'),
  text(
    'check-keys',
    'REDIS_EXPORTER_CHECK_KEYS',
    'Comma separated key patterns (db1=users:*) to export value and size of, found with SCAN.',
  ),
  text('check-single-keys', 'REDIS_EXPORTER_CHECK_SINGLE_KEYS', 'Comma separated keys to export value and size of.'),
  text('check-streams', 'REDIS_EXPORTER_CHECK_STREAMS', 'Comma separated stream patterns to export streams, groups and consumers of.'),
  text(
    'check-single-streams',
    'REDIS_EXPORTER_CHECK_SINGLE_STREAMS',
    'Comma separated streams to export streams, groups and consumers of.',
  ),
  toggle('streams-exclude-consumer-metrics', 'REDIS_EXPORTER_STREAMS_EXCLUDE_CONSUMER_METRICS', 'Leave out the consumers of streams.'),
  text('count-keys', 'REDIS_EXPORTER_COUNT_KEYS', 'Comma separated key patterns (db0=production_*) to count, found with SCAN.'),
  number('check-keys-batch-size', 'REDIS_EXPORTER_CHECK_KEYS_BATCH_SIZE', 'Keys that one SCAN looks at.', 1_000),
  text('check-key-groups', 'REDIS_EXPORTER_CHECK_KEY_GROUPS', 'Comma separated Lua patterns that group keys.'),
  number('max-distinct-key-groups', 'REDIS_EXPORTER_MAX_DISTINCT_KEY_GROUPS', 'Most key groups per database; the rest is "overflow".', 100),
  toggle('disable-exporting-key-values', 'REDIS_EXPORTER_DISABLE_EXPORTING_KEY_VALUES', 'Leave out the values of keys.'),
  toggle('skip-checkkeys-for-role-master', 'REDIS_EXPORTER_SKIP_CHECKKEYS_FOR_ROLE_MASTER', 'Look at keys on replicas only.'),
  toggle('append-instance-role-label', 'REDIS_EXPORTER_APPEND_INSTANCE_ROLE_LABEL', 'Add instance_role to the metrics of keys.'),
  text('script', 'REDIS_EXPORTER_SCRIPT', 'Comma separated files of Lua scripts that collect further metrics.'),
  toggle('lua-script-read-only', 'REDIS_EXPORTER_LUA_SCRIPT_READ_ONLY', 'Run scripts with EVAL_RO (Redis 7.0 and newer).'),
  toggle(
    'cluster-discover-hostnames',
    'REDIS_EXPORTER_CLUSTER_DISCOVER_HOSTNAMES',
    'Show the host names of cluster nodes that have one in /discover-cluster-nodes.',
  ),
  toggle('is-cluster', 'REDIS_EXPORTER_IS_CLUSTER', 'Look for keys on all masters of the cluster.'),
  toggle('is-tile38', 'REDIS_EXPORTER_IS_TILE38', 'Export the metrics of Tile38.'),
  text('config-command', 'REDIS_EXPORTER_CONFIG_COMMAND', 'Name of the CONFIG command; - to leave it out.', 'CONFIG'),
  toggle('include-config-metrics', 'REDIS_EXPORTER_INCL_CONFIG_METRICS', 'Export all settings of the server.'),
  toggle('redact-config-metrics', 'REDIS_EXPORTER_REDACT_CONFIG_METRICS', 'Leave out settings that hold secrets.', true),
  toggle('include-system-metrics', 'REDIS_EXPORTER_INCL_SYSTEM_METRICS', 'Export redis_total_system_memory_bytes.'),
  toggle(
    'include-rdb-file-size-metric',
    'REDIS_EXPORTER_INCL_RDB_FILE_SIZE_METRIC',
    'Export the size of the RDB file; it must be on this machine and readable.',
  ),
  toggle('include-sentinel-peer-info', 'REDIS_EXPORTER_INCL_SENTINEL_PEER_INFO', 'Export the peers of sentinels as labels; many series.'),
  toggle('include-modules-metrics', 'REDIS_EXPORTER_INCL_MODULES_METRICS', 'Export the metrics of modules.'),
  toggle('include-search-indexes-metrics', 'REDIS_EXPORTER_INCL_SEARCH_INDEXES_METRICS', 'Export the metrics of search indexes.'),
  text('check-search-indexes', 'REDIS_EXPORTER_CHECK_SEARCH_INDEXES', 'Regular expression of the search indexes to export.', '.*'),
  toggle(
    'include-metrics-for-empty-databases',
    'REDIS_EXPORTER_INCL_METRICS_FOR_EMPTY_DATABASES',
    'Export the key counts of empty databases.',
    true,
  ),
  toggle('exclude-latency-histogram-metrics', 'REDIS_EXPORTER_EXCLUDE_LATENCY_HISTOGRAM_METRICS', 'Leave out latency histograms.'),
  toggle('export-client-list', 'REDIS_EXPORTER_EXPORT_CLIENT_LIST', 'Export the list of clients.'),
  toggle('export-client-port', 'REDIS_EXPORTER_EXPORT_CLIENT_PORT', 'Export the port of each client; many series.'),
  toggle('set-client-name', 'REDIS_EXPORTER_SET_CLIENT_NAME', 'Name the connection redis_exporter.', true),
  toggle('ping-on-connect', 'REDIS_EXPORTER_PING_ON_CONNECT', 'Send PING first and export how long it took.'),
  {
    spec: {
      name: 'connection-timeout',
      type: 'duration',
      default: '15s',
      help: 'Longest time to connect and to wait for the server; the scrape timeout counts as well.',
    },
    env: 'REDIS_EXPORTER_CONNECTION_TIMEOUT',
  },
  text('tls-ca-cert-file', 'REDIS_EXPORTER_TLS_CA_CERT_FILE', 'CA certificates that the Redis server is checked against.'),
  text('tls-client-cert-file', 'REDIS_EXPORTER_TLS_CLIENT_CERT_FILE', 'Client certificate for the Redis server.'),
  text('tls-client-key-file', 'REDIS_EXPORTER_TLS_CLIENT_KEY_FILE', 'Key of the client certificate.'),
  text('tls-server-name', 'REDIS_EXPORTER_TLS_SERVER_NAME', 'Name that the certificate of the Redis server must have.'),
  toggle('skip-tls-verification', 'REDIS_EXPORTER_SKIP_TLS_VERIFICATION', 'Accept any certificate of the Redis server.'),
  text('web.telemetry-path', 'REDIS_EXPORTER_WEB_TELEMETRY_PATH', 'Path under which to expose metrics.', '/metrics'),
  toggle('disable-scrape-endpoint', 'REDIS_EXPORTER_DISABLE_SCRAPE_ENDPOINT', 'Switch /scrape off.'),
  toggle('redis-only-metrics', 'REDIS_EXPORTER_REDIS_ONLY_METRICS', 'Leave out the metrics of the exporter process.'),
  {
    spec: {
      name: 'include-go-runtime-metrics',
      type: 'boolean',
      default: false,
      help: 'Accepted; there is no Go runtime.',
      hidden: true,
      withoutEffect: 'there is no Go runtime',
    },
    env: 'REDIS_EXPORTER_INCLUDE_GO_RUNTIME_METRICS',
  },
]

/**
 * The redis exporter's own flags with the original's names and defaults. Those of the listener and the logger (`web.listen-address`,
 * `tls-server-cert-file`, `basic-auth-username`, `log-format`, …) belong to the command.
 */
export const redisExporterFlags: readonly FlagSpec[] = flags.map(({ spec }) => spec)

/** The original's environment variable of each flag. */
export const redisExporterEnvironment: ReadonlyMap<string, string> = new Map(flags.map(({ spec, env }) => [spec.name, env]))

function text(name: string, env: string, help: string, preset = ''): RedisFlag {
  return { spec: { name, type: 'string', default: preset, help }, env }
}

function toggle(name: string, env: string, help: string, preset = false): RedisFlag {
  return { spec: { name, type: 'boolean', default: preset, help }, env }
}

function number(name: string, env: string, help: string, preset: number): RedisFlag {
  return { spec: { name, type: 'number', default: preset, help }, env }
}
