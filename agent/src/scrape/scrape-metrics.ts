import type { CounterCell, Registry } from '@narthex/service/metrics'
import type { ScrapeFailure } from './scrape-error.ts'

const quantiles = [0.01, 0.05, 0.5, 0.9, 0.99]

/** The scrape stage's own metrics, under Prometheus' names. */
export function createScrapeMetrics(registry: Registry) {
  const counter = (name: string, help: string): CounterCell => registry.counter(name, help).labels()
  const failures: Partial<Record<ScrapeFailure, CounterCell>> = {
    'sample-limit': counter(
      'prometheus_target_scrapes_exceeded_sample_limit_total',
      'Total number of scrapes that hit the sample limit and were rejected.',
    ),
    'bucket-limit': counter(
      'prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total',
      'Total number of scrapes that hit the native histogram bucket limit and were rejected.',
    ),
    'body-size-limit': counter(
      'prometheus_target_scrapes_exceeded_body_size_limit_total',
      'Total number of scrapes that hit the body size limit',
    ),
    'label-limit': counter(
      'prometheus_target_scrape_pool_exceeded_label_limits_total',
      'Total number of times scrape pools hit the label limits, during sync or config reload.',
    ),
  }
  const exemplarsDropped = registry.counter(
    'narthex_agent_scraped_exemplars_dropped_total',
    'Exemplars that were not kept: with more than 128 characters of labels, or with labels or a timestamp that make no sense.',
    ['reason'],
  )
  return {
    failures,
    intervalLength: registry.summary(
      'prometheus_target_interval_length_seconds',
      'Actual intervals between scrapes.',
      ['interval'],
      quantiles,
    ),
    duplicates: counter(
      'prometheus_target_scrapes_sample_duplicate_timestamp_total',
      'Total number of samples rejected due to duplicate timestamps but different values.',
    ),
    outOfOrder: counter(
      'prometheus_target_scrapes_sample_out_of_order_total',
      'Total number of samples rejected due to not being out of the expected order.',
    ),
    outOfBounds: counter(
      'prometheus_target_scrapes_sample_out_of_bounds_total',
      'Total number of samples rejected due to timestamp falling outside of the time bounds.',
    ),
    exemplarsOutOfOrder: counter(
      'prometheus_target_scrapes_exemplar_out_of_order_total',
      'Total number of exemplar rejected due to not being out of the expected order.',
    ),
    exemplarsTooLong: exemplarsDropped.labels('labels_too_long'),
    exemplarsInvalid: exemplarsDropped.labels('invalid'),
    pools: counter('prometheus_target_scrape_pools_total', 'Total number of scrape pool creation attempts.'),
    poolsFailed: counter('prometheus_target_scrape_pools_failed_total', 'Total number of scrape pool creations that failed.'),
    reloads: counter('prometheus_target_scrape_pool_reloads_total', 'Total number of scrape pool reloads.'),
    reloadsFailed: counter('prometheus_target_scrape_pool_reloads_failed_total', 'Total number of failed scrape pool reloads.'),
    targetLimit: counter(
      'prometheus_target_scrape_pool_exceeded_target_limit_total',
      'Total number of times scrape pools hit the target limit, during sync or config reload.',
    ),
    syncs: registry.counter('prometheus_target_scrape_pool_sync_total', 'Total number of syncs that were executed on a scrape pool.', [
      'scrape_job',
    ]),
    syncsFailed: registry.counter('prometheus_target_sync_failed_total', 'Total number of target sync failures.', ['scrape_job']),
    syncLength: registry.summary(
      'prometheus_target_sync_length_seconds',
      'Actual interval to sync the scrape pool.',
      ['scrape_job'],
      quantiles,
    ),
    targets: registry.gauge('prometheus_target_scrape_pool_targets', 'Current number of targets in this scrape pool.', ['scrape_job']),
    otherShards: registry.gauge('narthex_agent_targets_of_other_shards', 'Targets that agents with another --shard.index scrape.', [
      'scrape_job',
    ]),
    metadataEntries: registry.gauge('prometheus_target_metadata_cache_entries', 'Total number of metric metadata entries in the cache', [
      'scrape_job',
    ]),
    metadataBytes: registry.gauge(
      'prometheus_target_metadata_cache_bytes',
      'The number of bytes that are currently used for storing metric metadata in the cache',
      ['scrape_job'],
    ),
    scrapes: counter('narthex_agent_scrapes_total', 'Scrapes done, failed ones included.'),
    scrapesFailed: counter('narthex_agent_scrapes_failed_total', 'Scrapes that failed.'),
    samples: counter('narthex_agent_scraped_samples_total', 'Samples kept after relabeling.'),
  }
}

export type ScrapeMetrics = ReturnType<typeof createScrapeMetrics>
