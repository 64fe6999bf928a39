import { flag } from '@narthex/service/flag-spec'

// The flags of Prometheus 3, same names and defaults, and a few of ours at the end.

const web = 'Web:'
const storage = 'Storage:'
const query = 'Queries, rules and alerts:'

export const logFlags = {
  logLevel: flag.choice('log.level', 'Only log messages with the given severity or above.', ['debug', 'info', 'warn', 'error'], 'info'),
  logFormat: flag.choice('log.format', 'Output format of log messages.', ['logfmt', 'json'], 'logfmt'),
}

export const webFlags = {
  webConfigFile: flag.text('web.config.file', 'Path to a file that switches on TLS or authentication.', '', { group: web }),
  readTimeoutMs: flag.durationMs('web.read-timeout', 'Longest time to read a request, and to keep an idle connection.', '5m', {
    group: web,
  }),
  maxConnections: flag.integer('web.max-connections', 'Most connections at once over all listeners.', 512, { group: web }),
  externalUrl: flag.text('web.external-url', 'URL under which this program is reachable from outside.', '', {
    group: web,
    placeholder: '<URL>',
  }),
  routePrefix: flag.string('web.route-prefix', 'Prefix for the internal routes of web endpoints. Default: path of --web.external-url.', {
    group: web,
    placeholder: '<path>',
  }),
  enableLifecycle: flag.boolean('web.enable-lifecycle', 'Enable shutdown and reload via HTTP request.', { group: web }),
}

export const reloadFlags = {
  configFile: flag.text('config.file', 'Configuration file path.', 'prometheus.yml'),
  autoReload: flag.boolean('config.auto-reload', 'Reload the configuration when one of its files changes.'),
  autoReloadIntervalMs: flag.durationMs('config.auto-reload-interval', 'How often to look whether the configuration has changed.', '30s'),
}

/** As `withoutEffect`, of the server and the agent. */
export const sharedWithoutEffect = {
  userAssets: flag.string('web.user-assets', 'Path to static asset directory (no effect).', { group: web }),
  consoleTemplates: flag.text('web.console.templates', 'Path to the console template directory (no effect).', 'consoles', { group: web }),
  consoleLibraries: flag.text('web.console.libraries', 'Path to the console library directory (no effect).', 'console_libraries', {
    group: web,
  }),
  enableOtlp: flag.boolean('web.enable-otlp-receiver', 'Enable API endpoint accepting OTLP write requests (not built yet).', {
    group: web,
  }),
  notificationSubscribers: flag.integer(
    'web.max-notifications-subscribers',
    'Limits the live notification subscribers (no effect yet).',
    16,
    {
      group: web,
    },
  ),
  discoveryInterval: flag.durationMs(
    'scrape.discovery-reload-interval',
    'How often changed targets are taken over (no effect yet).',
    '5s',
    {
      hidden: true,
    },
  ),
  adjustTimestamps: flag.boolean('scrape.adjust-timestamps', 'Align scrape times that are off by little (no effect yet).', {
    default: true,
    hidden: true,
  }),
  timestampTolerance: flag.durationMs('scrape.timestamp-tolerance', 'How far scrape times are aligned (no effect yet).', '2ms', {
    hidden: true,
  }),
  autoGomaxprocs: flag.boolean('auto-gomaxprocs', 'A setting of the Go runtime (no effect).', { default: true }),
  autoGomemlimit: flag.boolean('auto-gomemlimit', 'A setting of the Go runtime (no effect).', { default: true }),
  gomemlimitRatio: flag.number('auto-gomemlimit.ratio', 'A setting of the Go runtime (no effect).', 0.9),
}

/** Accepted so that existing command lines start; each one that is given prints a warning. */
const withoutEffect = {
  noLockfile: flag.boolean('storage.tsdb.no-lockfile', 'Do not create a lockfile in the data directory (no effect).', { group: storage }),
  walSegmentSize: flag.optionalBytes('storage.tsdb.wal-segment-size', 'Size at which to split log segment files (no effect yet).', {
    group: storage,
    hidden: true,
  }),
  walCompressionType: flag.text('storage.tsdb.wal-compression-type', 'Compression of the log (no effect: always snappy).', 'snappy', {
    group: storage,
    hidden: true,
  }),
  blockChunkSegmentSize: flag.optionalBytes(
    'storage.tsdb.max-block-chunk-segment-size',
    'Most bytes of one chunk segment of a block (no effect: 512MB).',
    {
      group: storage,
      hidden: true,
    },
  ),
  chunkWriteQueueSize: flag.integer('storage.tsdb.head-chunks-write-queue-size', 'Chunks that may wait to be written (no effect).', 0, {
    group: storage,
    hidden: true,
  }),
  samplesPerChunk: flag.integer('storage.tsdb.samples-per-chunk', 'Target number of samples in a chunk (no effect yet).', 120, {
    group: storage,
    hidden: true,
  }),
  acceptedMessages: flag.list(
    'web.remote-write-receiver.accepted-protobuf-messages',
    'Remote write messages to accept (no effect yet: both are accepted).',
    {
      group: web,
      default: ['prometheus.WriteRequest', 'io.prometheus.write.v2.Request'],
    },
  ),
  concurrentEvals: flag.integer('rules.max-concurrent-evals', 'Most rules evaluated at once (no effect yet).', 4, { group: query }),
}

export const withoutEffectFlagNames: readonly string[] = [...Object.values(withoutEffect), ...Object.values(sharedWithoutEffect)].map(
  ({ name }) => name,
)

export const serverFlags = {
  ...reloadFlags,
  listenAddress: flag.list('web.listen-address', 'Address to listen on. Repeatable.', { group: web, default: ['0.0.0.0:9090'] }),
  ...webFlags,
  enableRemoteWrite: flag.boolean(
    'web.enable-remote-write-receiver',
    'Accept remote-write requests also without authentication or loopback.',
    {
      group: web,
    },
  ),
  enableAdminApi: flag.boolean('web.enable-admin-api', 'Enable API endpoints that delete series and make snapshots.', { group: web }),
  pageTitle: flag.text('web.page-title', 'Document title of the pages.', 'Narthex', { group: web }),
  corsOrigin: flag.text('web.cors.origin', 'Regex for CORS origin. It is fully anchored.', '.*', { group: web }),
  storagePath: flag.text('storage.tsdb.path', 'Base path for metrics storage.', 'data/', { group: storage }),
  flushDeadlineMs: flag.durationMs('storage.remote.flush-deadline', 'How long to send samples to remotes at the end.', '1m', {
    group: storage,
  }),
  retentionMs: flag.durationMs('storage.tsdb.retention.time', 'How long to keep samples.', '15d', { group: storage }),
  retentionBytes: flag.optionalBytes('storage.tsdb.retention.size', 'Most bytes of blocks and log to keep; alone it replaces the 15d.', {
    group: storage,
  }),
  minBlockMs: flag.durationMs('storage.tsdb.min-block-duration', 'Range of the blocks that are cut from memory.', '2h', {
    group: storage,
    hidden: true,
  }),
  maxBlockMs: flag.optionalDurationMs('storage.tsdb.max-block-duration', 'Longest range of a block. Default: a tenth of the retention.', {
    group: storage,
    hidden: true,
  }),
  remoteReadSampleLimit: flag.integer(
    'storage.remote.read-sample-limit',
    'Most samples of one query of a remote read; 0 = no limit. Streamed answers have none.',
    5e7,
    { group: storage },
  ),
  remoteReadConcurrency: flag.integer('storage.remote.read-concurrent-limit', 'Most remote reads at once; 0 = no limit.', 10, {
    group: storage,
  }),
  remoteReadFrameBytes: flag.integer(
    'storage.remote.read-max-bytes-in-frame',
    'Most bytes of one frame of a streamed remote read, to a chunk.',
    1048576,
    { group: storage },
  ),
  uploadedFile: flag.text(
    'storage.tsdb.delay-compact-file.path',
    'JSON file with uploaded blocks (thanos.shipper.json): blocks cut from memory are compacted when they are in it.',
    '',
    { group: storage, hidden: true },
  ),
  customBuckets: flag.boolean(
    'storage.tsdb.native-histogram-custom-buckets',
    'Store native histograms with custom buckets. A Prometheus before 3.0 cannot read them.',
    { group: storage },
  ),
  walCompression: flag.boolean('storage.tsdb.wal-compression', 'Compress the write-ahead log.', { group: storage, default: true }),
  outageToleranceMs: flag.durationMs(
    'rules.alert.for-outage-tolerance',
    'Longest outage over which the "for" state of an alert is restored.',
    '1h',
    {
      group: query,
    },
  ),
  gracePeriodMs: flag.durationMs('rules.alert.for-grace-period', 'Least time between an alert and its restored "for" state.', '10m', {
    group: query,
  }),
  resendDelayMs: flag.durationMs('rules.alert.resend-delay', 'Least time to wait before sending an alert again.', '1m', { group: query }),
  notificationQueue: flag.integer('alertmanager.notification-queue-capacity', 'Alerts that may wait for delivery.', 10_000, {
    group: query,
  }),
  notificationBatch: flag.integer('alertmanager.notification-batch-size', 'Alerts sent in one request.', 256, { group: query }),
  drainNotifications: flag.boolean('alertmanager.drain-notification-queue-on-shutdown', 'Send what waits before stopping.', {
    group: query,
    default: true,
  }),
  lookbackMs: flag.durationMs('query.lookback-delta', 'How far back the newest sample of a series may lie.', '5m', { group: query }),
  queryTimeoutMs: flag.durationMs('query.timeout', 'Longest time a query may take.', '2m', { group: query }),
  queryConcurrency: flag.integer('query.max-concurrency', 'Most queries at once; more wait.', 20, { group: query }),
  slowQueryMs: flag.durationMs('query.log-slower-than', 'Queries that take longer are written to the log; 0 = none.', '10s', {
    group: query,
  }),
  queryMaxSamples: flag.integer('query.max-samples', 'Most samples a query may load into memory.', 50_000_000, { group: query }),
  features: flag.list('enable-feature', 'Feature flags to enable, as in Prometheus; comma separated or repeated.'),
  alertmanagerConfigFile: flag.text(
    'alertmanager.config.file',
    'Configuration of the embedded alertmanager. Default: one that keeps what it delivers in memory.',
    '',
    {
      group: query,
    },
  ),
  alertmanagerStoragePath: flag.text(
    'alertmanager.storage.path',
    'Data of the embedded alertmanager. Default: alertmanager/ below --storage.tsdb.path.',
    '',
    {
      group: query,
    },
  ),
  memoryMaxBytes: flag.optionalBytes(
    'storage.tsdb.head-memory-max',
    'Most memory for series and open chunks; new series are refused before.',
    {
      group: storage,
    },
  ),
  processMemoryMaxBytes: flag.optionalBytes(
    'server.memory-max',
    'Most memory of the whole process; new series and large queries are refused before. Default: 0.9 of the limit of its control group, or half of the machine.',
    {
      group: storage,
    },
  ),
  queryMemoryMaxBytes: flag.optionalBytes('query.memory-max', 'Most memory of one query. Default: 1GB, or what there is for all queries.', {
    group: query,
  }),
  seriesMax: flag.integer('storage.tsdb.head-series-max', 'Most series in memory; new ones are refused above; 0 = no limit.', 0, {
    group: storage,
  }),
  seriesPerMetricMax: flag.integer(
    'storage.tsdb.head-series-per-metric-max',
    'Most series of one metric name in memory; new ones are refused above; 0 = no limit.',
    0,
    {
      group: storage,
    },
  ),
  diskReserveBytes: flag.optionalBytes(
    'storage.tsdb.disk-reserve',
    'Disk kept for compaction when it is full, 0 for none. Default: 64MB, or a hundredth of the disk.',
    {
      group: storage,
    },
  ),
  ...withoutEffect,
  ...sharedWithoutEffect,
  ...logFlags,
}
