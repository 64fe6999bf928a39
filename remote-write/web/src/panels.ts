import type { Unit } from './format.ts'

/** One graph of a dashboard. `$instance` and `$window` are replaced before the query is sent. */
export interface Panel {
  readonly title: string
  readonly queries: readonly { readonly query: string; readonly label: (metric: Readonly<Record<string, string>>) => string }[]
  readonly unit: Unit
  readonly stacked?: boolean
  readonly min?: number
  readonly max?: number
}

export interface Tile {
  readonly title: string
  readonly query: string
  readonly unit: Unit
  /** From this value on the tile is coloured as a warning. */
  readonly warnFrom?: number
}

const fixed = (label: string) => () => label

/** The overview of one machine, from the node exporter's metrics. */
export const machineTiles: readonly Tile[] = [
  {
    title: 'CPU busy',
    query: '1 - avg(rate(node_cpu_seconds_total{instance="$instance",mode="idle"}[$window]))',
    unit: 'percent',
    warnFrom: 0.9,
  },
  {
    title: 'Memory used',
    query: '1 - node_memory_MemAvailable_bytes{instance="$instance"} / node_memory_MemTotal_bytes{instance="$instance"}',
    unit: 'percent',
    warnFrom: 0.9,
  },
  {
    title: 'Fullest disk',
    query:
      'max(1 - node_filesystem_avail_bytes{instance="$instance",fstype!~"tmpfs|ramfs"} / node_filesystem_size_bytes{instance="$instance",fstype!~"tmpfs|ramfs"})',
    unit: 'percent',
    warnFrom: 0.85,
  },
  { title: 'Load, 1 minute', query: 'node_load1{instance="$instance"}', unit: 'number' },
  { title: 'Processors', query: 'count(node_cpu_seconds_total{instance="$instance",mode="idle"})', unit: 'number' },
  { title: 'Up for', query: 'node_time_seconds{instance="$instance"} - node_boot_time_seconds{instance="$instance"}', unit: 'seconds' },
]

export const machinePanels: readonly Panel[] = [
  {
    title: 'CPU',
    queries: [
      {
        query:
          'sum by (mode) (rate(node_cpu_seconds_total{instance="$instance",mode!="idle"}[$window])) / scalar(count(node_cpu_seconds_total{instance="$instance",mode="idle"}))',
        label: (metric) => metric['mode'] ?? '',
      },
    ],
    unit: 'percent',
    stacked: true,
    min: 0,
  },
  {
    title: 'Memory',
    queries: [
      {
        query: 'node_memory_MemTotal_bytes{instance="$instance"} - node_memory_MemAvailable_bytes{instance="$instance"}',
        label: fixed('used'),
      },
      { query: 'node_memory_Cached_bytes{instance="$instance"}', label: fixed('cached') },
      { query: 'node_memory_MemTotal_bytes{instance="$instance"}', label: fixed('total') },
    ],
    unit: 'bytes',
    min: 0,
  },
  {
    title: 'Disk',
    queries: [
      { query: 'sum(rate(node_disk_read_bytes_total{instance="$instance"}[$window]))', label: fixed('read') },
      { query: 'sum(rate(node_disk_written_bytes_total{instance="$instance"}[$window]))', label: fixed('written') },
    ],
    unit: 'bytesPerSecond',
    min: 0,
  },
  {
    title: 'Network',
    queries: [
      {
        query: 'sum by (device) (rate(node_network_receive_bytes_total{instance="$instance"}[$window]))',
        label: (m) => `${m['device']} in`,
      },
      {
        query: 'sum by (device) (rate(node_network_transmit_bytes_total{instance="$instance"}[$window]))',
        label: (m) => `${m['device']} out`,
      },
    ],
    unit: 'bytesPerSecond',
    min: 0,
  },
  {
    title: 'File systems',
    queries: [
      {
        query: '1 - node_filesystem_avail_bytes{instance="$instance"} / node_filesystem_size_bytes{instance="$instance"}',
        label: (metric) => metric['mountpoint'] ?? '',
      },
    ],
    unit: 'percent',
    min: 0,
    max: 1,
  },
  {
    title: 'Load',
    queries: [
      { query: 'node_load1{instance="$instance"}', label: fixed('1 minute') },
      { query: 'node_load5{instance="$instance"}', label: fixed('5 minutes') },
      { query: 'node_load15{instance="$instance"}', label: fixed('15 minutes') },
    ],
    unit: 'number',
    min: 0,
  },
]
