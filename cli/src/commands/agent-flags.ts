import { autoReloadFeature } from '@narthex/server/feature-flags'
import { flag } from '@narthex/service/flag-spec'
import { shardFlags } from '../shard.ts'
import { logFlags, reloadFlags, sharedWithoutEffect, webFlags } from './server-flags.ts'

// The flags of `prometheus --agent`, same names and defaults, and ours.

const storage = 'Storage:'

/** Accepted so that existing command lines start; each one that is given prints a warning. */
const withoutEffect = {
  ...sharedWithoutEffect,
  enableAdminApi: flag.boolean('web.enable-admin-api', 'Enable API endpoints for admin control actions (no effect: an agent has none).', {
    group: 'Web:',
  }),
  retentionMinMs: flag.durationMs('storage.agent.retention.min-time', 'Accepted; delivered samples go at once.', '0s', { group: storage }),
  walSegmentSize: flag.optionalBytes('storage.agent.wal-segment-size', 'Size of log segment files (no effect).', {
    group: storage,
    hidden: true,
  }),
  walCompression: flag.boolean('storage.agent.wal-compression', 'Compress the log (no effect: what waits for long is compressed).', {
    group: storage,
    default: true,
  }),
  walCompressionType: flag.text('storage.agent.wal-compression-type', 'Compression of the log (no effect).', 'snappy', {
    group: storage,
    hidden: true,
  }),
  truncateFrequency: flag.durationMs('storage.agent.wal-truncate-frequency', 'How often to cut the log (no effect).', '2h', {
    group: storage,
    hidden: true,
  }),
}

export const agentWithoutEffectNames: readonly string[] = Object.values(withoutEffect).map(({ name }) => name)

export const agentFlags = {
  ...reloadFlags,
  listenAddress: flag.list('web.listen-address', 'Address to listen on. Repeatable.', { group: 'Web:', default: ['0.0.0.0:9090'] }),
  ...webFlags,
  pageTitle: flag.text('web.page-title', 'Document title of the pages.', 'Narthex Agent', { group: 'Web:' }),
  storagePath: flag.text('storage.agent.path', 'Base path for the log of what is not delivered yet.', 'data-agent/', { group: storage }),
  bytesMax: flag.optionalBytes(
    'storage.agent.max-bytes',
    'Most bytes of the log on disk; beyond it the oldest samples go, counted. Default: 4GB.',
    {
      group: storage,
    },
  ),
  ageMaxMs: flag.durationMs(
    'storage.agent.retention.max-time',
    'Samples on disk for longer than this go, counted, whether they are delivered or not. 0: no such limit.',
    '0s',
    { group: storage },
  ),
  fsyncIntervalMs: flag.durationMs(
    'storage.agent.fsync-interval',
    'What a power cut may cost at most: the log is synced this often.',
    '100ms',
    {
      group: storage,
    },
  ),
  noLockfile: flag.boolean('storage.agent.no-lockfile', 'Do not create a lock file in the data directory.', { group: storage }),
  deadLetterBytesMax: flag.optionalBytes(
    'storage.agent.dead-letter-max-bytes',
    'Keeps refused batches in DIR/dead-letters, at most this much per remote. Default: they are counted and not kept.',
    { group: storage },
  ),
  holdMs: flag.durationMs('storage.remote.hold-interval', 'Wait between attempts while a remote answers 401, 403 or 404.', '30s', {
    group: storage,
  }),
  flushDeadlineMs: flag.durationMs(
    'storage.remote.flush-deadline',
    'How long to send at shutdown; the rest stays on disk. At most 4s of it are used.',
    '1m',
    {
      group: storage,
    },
  ),
  ...shardFlags,
  features: flag.list('enable-feature', 'Feature flags of Prometheus: auto-reload-config, created-timestamp-zero-ingestion, st-storage.'),
  isAgent: flag.boolean('agent', 'Accepted, as this is the agent.', { hidden: true }),
  ...withoutEffect,
  ...logFlags,
}

const startTimestampFeatures = ['created-timestamp-zero-ingestion', 'st-storage']
/** What Prometheus had to be asked for and is always on here. */
const builtInFeatures = ['native-histograms', 'exemplar-storage', 'metadata-wal-records', 'agent', 'extra-scrape-metrics']

/** What the agent makes of `--enable-feature`. */
export interface AgentFeatures {
  readonly autoReload: boolean
  readonly startTimestamps: boolean
  readonly withoutEffect: readonly string[]
}

export function readAgentFeatures(features: readonly string[]): AgentFeatures {
  const known = [autoReloadFeature, ...startTimestampFeatures, ...builtInFeatures]
  return {
    autoReload: features.includes(autoReloadFeature),
    startTimestamps: startTimestampFeatures.some((feature) => features.includes(feature)),
    withoutEffect: features.filter((feature) => !known.includes(feature)),
  }
}
