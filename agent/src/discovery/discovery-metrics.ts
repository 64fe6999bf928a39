import type { CounterCell, Registry } from '@narthex/service/metrics'

/** The discovery stage's own metrics, under Prometheus' names. `name` is the label of that name: `scrape` or `notify`. */
export function createDiscoveryMetrics(registry: Registry, name: string, countTargets: () => Map<string, number>) {
  const discovered = registry.gauge('prometheus_sd_discovered_targets', 'Current number of discovered targets.', ['name', 'config'])
  registry.onCollect(() => {
    discovered.clear()
    for (const [jobName, count] of countTargets()) discovered.labels(name, jobName).set(count)
  })
  const received = registry.counter(
    'prometheus_sd_received_updates_total',
    'Total number of update events received from the SD providers.',
    ['name'],
  )
  const sent = registry.counter('prometheus_sd_updates_total', 'Total number of update events sent to the SD consumers.', ['name'])
  const failed = registry.gauge('prometheus_sd_failed_configs', 'Current number of service discovery configurations that failed to load.', [
    'name',
  ])
  const counter = (metric: string, help: string): CounterCell => registry.counter(metric, help).labels()
  return {
    received: received.labels(name),
    sent: sent.labels(name),
    failedConfigs: failed.labels(name),
    fileReadErrors: counter('prometheus_sd_file_read_errors_total', 'The number of File-SD read errors.'),
    fileWatchErrors: counter(
      'prometheus_sd_file_watcher_errors_total',
      'The number of File-SD errors caused by filesystem watch failures.',
    ),
    fileScan: registry
      .summary('prometheus_sd_file_scan_duration_seconds', 'The duration of the File-SD scan in seconds.', [], [0.5, 0.9, 0.99])
      .labels(),
    httpFailures: counter('prometheus_sd_http_failures_total', 'Number of HTTP service discovery refresh failures.'),
    dnsLookups: counter('prometheus_sd_dns_lookups_total', 'The number of DNS-SD lookups.'),
    dnsLookupFailures: counter('prometheus_sd_dns_lookup_failures_total', 'The number of DNS-SD lookup failures.'),
    consulFailures: counter('prometheus_sd_consul_rpc_failures_total', 'The number of Consul RPC call failures.'),
    consulDuration: registry.summary(
      'prometheus_sd_consul_rpc_duration_seconds',
      'The duration of a Consul RPC call in seconds.',
      ['endpoint', 'call'],
      [0.5, 0.9, 0.99],
    ),
    etcdFailures: counter('narthex_sd_etcd_failures_total', 'The number of failed requests and broken watches of etcd discovery.'),
    etcdBadValues: counter('narthex_sd_etcd_bad_values_total', 'The number of values in etcd that are no targets.'),
    azureFailures: counter('prometheus_sd_azure_failures_total', 'Number of Azure service discovery refresh failures.'),
    azureCacheHits: counter('prometheus_sd_azure_cache_hit_total', 'Number of cache hit during refresh.'),
    refreshFailures: registry.counter('prometheus_sd_refresh_failures_total', 'Number of refresh failures for the given SD mechanism.', [
      'mechanism',
      'config',
    ]),
    refreshDuration: registry.summary(
      'prometheus_sd_refresh_duration_seconds',
      'The duration of a refresh in seconds for the given SD mechanism.',
      ['mechanism', 'config'],
      [0.5, 0.9, 0.99],
    ),
  }
}

export type DiscoveryMetrics = ReturnType<typeof createDiscoveryMetrics>
