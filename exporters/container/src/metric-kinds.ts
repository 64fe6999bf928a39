/** The groups of metrics that `--disable_metrics` and `--enable_metrics` name, as in cAdvisor. */
export const metricKinds = [
  'advtcp',
  'app',
  'cpu',
  'cpuLoad',
  'cpu_topology',
  'cpuset',
  'disk',
  'diskIO',
  'hugetlb',
  'memory',
  'memory_numa',
  'network',
  'oom_event',
  'percpu',
  'perf_event',
  'pressure',
  'process',
  'referenced_memory',
  'resctrl',
  'sched',
  'tcp',
  'udp',
] as const

export type MetricKind = (typeof metricKinds)[number]

export const defaultDisabledKinds = 'advtcp,cpu_topology,cpuset,hugetlb,memory_numa,process,referenced_memory,resctrl,sched,tcp,udp'

/** Kinds that are accepted and never shown, with the reason. */
export const kindsNotBuilt: ReadonlyMap<MetricKind, string> = new Map([
  ['app', 'metrics of applications are scraped from the applications'],
  ['perf_event', 'counters of perf_event_open(2) are out of reach of this program'],
  ['resctrl', 'monitoring groups of resctrl are not made'],
])

/** The kinds to show; `--enable_metrics` beats `--disable_metrics`. Throws one clear line for a kind that does not exist. */
export function readMetricKinds(enabled: string, disabled: string): ReadonlySet<MetricKind> {
  if (enabled !== '') return parseKinds('enable_metrics', enabled)
  const without = parseKinds('disable_metrics', disabled)
  return new Set(metricKinds.filter((kind) => !without.has(kind)))
}

function parseKinds(flag: string, text: string): ReadonlySet<MetricKind> {
  const kinds = text === '' ? [] : text.split(',')
  return new Set(
    kinds.map((kind) => {
      if (isKind(kind)) return kind
      throw new Error(`cannot use flag --${flag}: unsupported metric ${JSON.stringify(kind)} specified, want ${metricKinds.join(',')}`)
    }),
  )
}

function isKind(text: string): text is MetricKind {
  return (metricKinds as readonly string[]).includes(text)
}
