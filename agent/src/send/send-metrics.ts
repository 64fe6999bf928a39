import type { ItemCounts } from './item-counts.ts'
import type { CounterCell, GaugeCell, HistogramCell, Registry } from '@narthex/service/metrics'

const labelNames = ['remote_name', 'url']
const durationBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300]

/** Why samples were given up, as the value of the label `reason`. */
export type LostReason =
  | 'rule'
  | 'too_old'
  | 'rejected'
  | 'too_large'
  | 'unsupported'
  | 'not_confirmed'
  | 'nhcb_in_rw1_not_supported'
  | 'native_histograms_not_sent'
  | 'storage_cap'
  | 'storage_age'
  | 'damaged'
  | 'disk_full'
  | 'unknown_series'

/** Reasons that Prometheus counts too, by its own names. */
const prometheusReasons: Partial<Record<LostReason, string>> = {
  rule: 'dropped_series',
  too_old: 'too_old',
  unknown_series: 'unintentionally_dropped_series',
  nhcb_in_rw1_not_supported: 'nhcb_in_rw1_not_supported',
}

/** The metrics of one remote, under the names of Prometheus where it has them. */
export interface RemoteMetrics {
  readonly samples: CounterCell
  readonly samplesFailed: CounterCell
  readonly samplesRetried: CounterCell
  readonly samplesPending: GaugeCell
  readonly histograms: CounterCell
  readonly histogramsFailed: CounterCell
  readonly histogramsRetried: CounterCell
  readonly histogramsPending: GaugeCell
  readonly exemplars: CounterCell
  readonly exemplarsFailed: CounterCell
  readonly exemplarsRetried: CounterCell
  readonly exemplarsPending: GaugeCell
  readonly bytes: CounterCell
  readonly metadataBytes: CounterCell
  readonly metadata: CounterCell
  readonly metadataFailed: CounterCell
  readonly metadataRetried: CounterCell
  readonly enqueueRetries: CounterCell
  readonly batchDuration: HistogramCell
  readonly highestSentSeconds: GaugeCell
  readonly highestQueuedSeconds: GaugeCell
  readonly shards: GaugeCell
  readonly shardsDesired: GaugeCell
  readonly pendingFrames: GaugeCell
  readonly isHeld: GaugeCell
  readonly protocolVersion: GaugeCell
  /** What was given up; also counted under Prometheus' `…_dropped_total`, whose reasons are its own. Exemplars are counted there only. */
  lose(reason: LostReason, items: Readonly<ItemCounts>): void
  loseFrames(reason: LostReason, frames: number): void
  /** Samples and histograms lost so far, by reason. */
  lostSamples(): Record<string, number>
}

export class SendMetrics {
  readonly samplesIn: CounterCell
  readonly histogramsIn: CounterCell
  readonly exemplarsIn: CounterCell
  readonly highestSeconds: GaugeCell
  readonly #registry: Registry

  constructor(registry: Registry) {
    this.#registry = registry
    this.samplesIn = registry
      .counter('prometheus_remote_storage_samples_in_total', 'Samples in to remote storage, compare to samples out for queue managers.')
      .labels()
    this.exemplarsIn = registry
      .counter(
        'prometheus_remote_storage_exemplars_in_total',
        'Exemplars in to remote storage, compare to exemplars out for queue managers.',
      )
      .labels()
    this.histogramsIn = registry
      .counter(
        'prometheus_remote_storage_histograms_in_total',
        'HistogramSamples in to remote storage, compare to histograms out for queue managers.',
      )
      .labels()
    this.highestSeconds = registry
      .gauge(
        'prometheus_remote_storage_highest_timestamp_in_seconds',
        'Highest timestamp that has come into the remote storage, in seconds since epoch.',
      )
      .labels()
  }

  /** The cells of one remote. Limits are set once, they are of the configuration. */
  remote(
    name: string,
    url: string,
    limits: { shardsMin: number; shardsMax: number; capacity: number; samplesPerSendMax: number },
  ): RemoteMetrics {
    const registry = this.#registry
    const values = [name, url]
    const counter = (suffix: string, help: string): CounterCell =>
      registry.counter(`prometheus_remote_storage_${suffix}`, help, labelNames).labels(...values)
    const gauge = (suffix: string, help: string): GaugeCell =>
      registry.gauge(`prometheus_remote_storage_${suffix}`, help, labelNames).labels(...values)
    const own = (suffix: string, help: string): GaugeCell =>
      registry.gauge(`narthex_remote_storage_${suffix}`, help, labelNames).labels(...values)
    gauge('shards_min', 'The minimum number of shards that the queue is allowed to run.').set(limits.shardsMin)
    gauge('shards_max', 'The maximum number of shards that the queue is allowed to run.').set(limits.shardsMax)
    gauge('shard_capacity', 'The capacity of each shard of the queue used for parallel sending to the remote storage.').set(limits.capacity)
    gauge('max_samples_per_send', 'The maximum number of samples to be sent, in a single request, to the remote storage.').set(
      limits.samplesPerSendMax,
    )
    const dropped = (kind: keyof ItemCounts) =>
      registry.counter(
        `prometheus_remote_storage_${kind}_dropped_total`,
        `Total number of ${kind} which were dropped after being read from the log before being sent via remote write, either via relabelling or age.`,
        [...labelNames, 'reason'],
      )
    const droppedBy = { samples: dropped('samples'), histograms: dropped('histograms'), exemplars: dropped('exemplars') }
    const lost = registry.counter('narthex_remote_storage_samples_lost_total', 'Samples that a remote will not get, by reason.', [
      ...labelNames,
      'reason',
    ])
    const lostFrames = registry.counter(
      'narthex_remote_storage_frames_lost_total',
      'Frames of the log that a remote will not get, by reason.',
      [...labelNames, 'reason'],
    )
    for (const counters of Object.values(droppedBy)) {
      counters.inc(0, ...values, 'dropped_series')
      counters.inc(0, ...values, 'too_old')
    }
    droppedBy.histograms.inc(0, ...values, 'nhcb_in_rw1_not_supported')
    return {
      samples: counter('samples_total', 'Total number of samples sent to remote storage.'),
      samplesFailed: counter(
        'samples_failed_total',
        'Total number of samples which failed on send to remote storage, non-recoverable errors.',
      ),
      samplesRetried: counter(
        'samples_retried_total',
        'Total number of samples which failed on send to remote storage but were retried because the send error was recoverable.',
      ),
      samplesPending: gauge('samples_pending', 'The number of samples pending in the queues shards to be sent to the remote storage.'),
      histograms: counter('histograms_total', 'Total number of histograms sent to remote storage.'),
      histogramsFailed: counter(
        'histograms_failed_total',
        'Total number of histograms which failed on send to remote storage, non-recoverable errors.',
      ),
      histogramsRetried: counter(
        'histograms_retried_total',
        'Total number of histograms which failed on send to remote storage but were retried because the send error was recoverable.',
      ),
      histogramsPending: gauge(
        'histograms_pending',
        'The number of histograms pending in the queues shards to be sent to the remote storage.',
      ),
      exemplars: counter('exemplars_total', 'Total number of exemplars sent to remote storage.'),
      exemplarsFailed: counter(
        'exemplars_failed_total',
        'Total number of exemplars which failed on send to remote storage, non-recoverable errors.',
      ),
      exemplarsRetried: counter(
        'exemplars_retried_total',
        'Total number of exemplars which failed on send to remote storage but were retried because the send error was recoverable.',
      ),
      exemplarsPending: gauge(
        'exemplars_pending',
        'The number of exemplars pending in the queues shards to be sent to the remote storage.',
      ),
      bytes: counter('bytes_total', 'The total number of bytes of data (not metadata) sent by the queue after compression.'),
      metadataBytes: counter('metadata_bytes_total', 'The total number of bytes of metadata sent by the queue after compression.'),
      metadata: counter('metadata_total', 'Total number of metadata entries sent to remote storage.'),
      metadataFailed: counter(
        'metadata_failed_total',
        'Total number of metadata entries which failed on send to remote storage, non-recoverable errors.',
      ),
      metadataRetried: counter(
        'metadata_retried_total',
        'Total number of metadata entries which failed on send to remote storage but were retried because the send error was recoverable.',
      ),
      enqueueRetries: counter('enqueue_retries_total', 'Total number of times enqueue has failed because a shards queue was full.'),
      batchDuration: registry
        .histogram(
          'prometheus_remote_storage_sent_batch_duration_seconds',
          'Duration of send calls to the remote storage.',
          labelNames,
          durationBuckets,
        )
        .labels(...values),
      highestSentSeconds: gauge(
        'queue_highest_sent_timestamp_seconds',
        'Timestamp from a log sample, the highest timestamp successfully sent by this queue, in seconds since epoch.',
      ),
      highestQueuedSeconds: gauge(
        'queue_highest_timestamp_seconds',
        'Timestamp from a log sample, the highest timestamp that was put into a queue, in seconds since epoch.',
      ),
      shards: gauge('shards', 'The number of shards used for parallel sending to the remote storage.'),
      shardsDesired: gauge(
        'shards_desired',
        'The number of shards that the queues shard calculation wants to run based on the rate of samples in vs. samples out.',
      ),
      pendingFrames: own('pending_frames', 'Frames of the log that the remote has not acknowledged.'),
      isHeld: own('held', '1 while the remote refuses us (401, 403, 404) and sending is on hold.'),
      protocolVersion: own('protocol_version', 'Remote-write version in use.'),
      lose(reason, { samples, histograms, exemplars }) {
        if (samples + histograms > 0) lost.inc(samples + histograms, ...values, reason)
        const prometheusReason = prometheusReasons[reason]
        if (prometheusReason === undefined) return
        if (samples > 0) droppedBy.samples.inc(samples, ...values, prometheusReason)
        if (histograms > 0) droppedBy.histograms.inc(histograms, ...values, prometheusReason)
        if (exemplars > 0) droppedBy.exemplars.inc(exemplars, ...values, prometheusReason)
      },
      loseFrames: (reason, frames) => lostFrames.inc(frames, ...values, reason),
      lostSamples() {
        const counts: Record<string, number> = {}
        for (const { labels, cell } of lost.entries()) if (labels[1] === name && labels[3] === url) counts[labels[5]!] = cell.value
        return counts
      },
    }
  }
}
