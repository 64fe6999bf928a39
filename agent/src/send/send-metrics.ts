import type { CounterCell, GaugeCell, HistogramCell, Registry } from '@narthex/service/metrics'

const labelNames = ['remote_name', 'url']
const durationBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300]

/** Why samples were given up, as the value of the label `reason`. */
export type LostReason =
  'rule' | 'too_old' | 'rejected' | 'too_large' | 'unsupported' | 'not_confirmed' | 'storage_cap' | 'damaged' | 'disk_full'

/** The metrics of one remote, under the names of Prometheus where it has them. */
export interface RemoteMetrics {
  readonly samples: CounterCell
  readonly samplesFailed: CounterCell
  readonly samplesRetried: CounterCell
  readonly samplesPending: GaugeCell
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
  /** Samples given up; also counted under Prometheus' `samples_dropped_total`, whose reasons are its own. */
  lose(reason: LostReason, samples: number): void
  loseFrames(reason: LostReason, frames: number): void
}

export class SendMetrics {
  readonly samplesIn: CounterCell
  readonly highestSeconds: GaugeCell
  readonly #registry: Registry

  constructor(registry: Registry) {
    this.#registry = registry
    this.samplesIn = registry
      .counter('prometheus_remote_storage_samples_in_total', 'Samples in to remote storage, compare to samples out for queue managers.')
      .labels()
    registry
      .counter(
        'prometheus_remote_storage_exemplars_in_total',
        'Exemplars in to remote storage, compare to exemplars out for queue managers.',
      )
      .labels()
    registry
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
    const dropped = registry.counter(
      'prometheus_remote_storage_samples_dropped_total',
      'Total number of samples which were dropped after being read from the log before being sent via remote write, either via relabelling or age.',
      [...labelNames, 'reason'],
    )
    const lost = registry.counter('narthex_remote_storage_samples_lost_total', 'Samples that a remote will not get, by reason.', [
      ...labelNames,
      'reason',
    ])
    const lostFrames = registry.counter(
      'narthex_remote_storage_frames_lost_total',
      'Frames of the log that a remote will not get, by reason.',
      [...labelNames, 'reason'],
    )
    dropped.inc(0, ...values, 'dropped_series')
    dropped.inc(0, ...values, 'too_old')
    // Neither is sent yet: their numbers are true at 0.
    for (const kind of ['exemplars', 'histograms']) {
      counter(`${kind}_total`, `Total number of ${kind} sent to remote storage.`)
      counter(`${kind}_failed_total`, `Total number of ${kind} which failed on send to remote storage, non-recoverable errors.`)
      counter(`${kind}_retried_total`, `Total number of ${kind} which failed on send to remote storage but were retried.`)
      gauge(`${kind}_pending`, `The number of ${kind} pending in the queues shards to be sent to the remote storage.`)
    }
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
      lose(reason, samples) {
        lost.inc(samples, ...values, reason)
        if (reason === 'rule') dropped.inc(samples, ...values, 'dropped_series')
        else if (reason === 'too_old') dropped.inc(samples, ...values, 'too_old')
      },
      loseFrames: (reason, frames) => lostFrames.inc(frames, ...values, reason),
    }
  }
}
