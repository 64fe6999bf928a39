import type { SeriesLabels } from './remote-write-load.ts'

// Three gauges and seven counters, as `moveValues` moves them.
const metrics = [
  'process_resident_memory_bytes',
  'go_goroutines',
  'node_load1',
  'http_requests_total',
  'node_cpu_seconds_total',
  'node_network_receive_bytes_total',
  'node_disk_read_bytes_total',
  'grpc_server_handled_total',
  'process_cpu_seconds_total',
  'container_cpu_usage_seconds_total',
]
const codes = ['200', '404', '500', '503']

/**
 * Labels of series `i`, sorted by name: ten metrics of each instance, which has one code of its own. Those of a metric have its app: they differ in
 * more than the name, so that rate() takes them together.
 */
export function queriedLabels(i: number): SeriesLabels {
  const instance = Math.floor(i / metrics.length)
  return [
    ['__name__', metrics[i % metrics.length]!],
    ['app', `app-${i % metrics.length}`],
    ['code', codes[instance % codes.length]!],
    ['instance', `host-${instance}.example.internal:9100`],
    ['job', `service-${instance % 20}`],
    ['namespace', `team-${instance % 12}`],
    ['zone', `europe-west-${instance % 3}`],
  ]
}
