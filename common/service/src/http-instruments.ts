import type { CounterCell, HistogramCell, Registry } from './metrics.ts'

/** Fits `HttpInstruments` of the server kit. */
export interface HttpRequestMetrics {
  observe(handler: string, method: string, status: number, durationSeconds: number, responseBytes: number): void
  opened?(): void
  closed?(): void
}

const durationBuckets = [0.1, 0.2, 0.4, 1, 3, 8, 20, 60, 120]
const sizeBuckets = [100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000]

/** Prometheus' families about its own requests and connections. */
export function prometheusHttpMetrics(registry: Registry): HttpRequestMetrics {
  const requests = registry.counter('prometheus_http_requests_total', 'Counter of HTTP requests.', ['handler', 'code'])
  const durations = registry.histogram(
    'prometheus_http_request_duration_seconds',
    'Histogram of latencies for HTTP requests.',
    ['handler'],
    durationBuckets,
  )
  const sizes = registry.histogram(
    'prometheus_http_response_size_bytes',
    'Histogram of response size for HTTP requests.',
    ['handler'],
    sizeBuckets,
  )
  const listener = ['listener_name']
  const accepted = registry
    .counter('net_conntrack_listener_conn_accepted_total', 'Total number of connections opened to the listener of a given name.', listener)
    .labels('http')
  const closed = registry
    .counter(
      'net_conntrack_listener_conn_closed_total',
      'Total number of connections closed that were made to the listener of a given name.',
      listener,
    )
    .labels('http')
  // Looked up once for each route, of which there are some dozens.
  const byHandler = new Map<string, HandlerCells>()
  const cellsOf = (handler: string): HandlerCells => {
    const known = byHandler.get(handler)
    if (known !== undefined) return known
    const cells = { requests: new Map<number, CounterCell>(), duration: durations.labels(handler), size: sizes.labels(handler) }
    byHandler.set(handler, cells)
    return cells
  }
  return {
    opened: () => accepted.inc(),
    closed: () => closed.inc(),
    observe(handler, _method, status, durationSeconds, responseBytes) {
      const cells = cellsOf(handler)
      let count = cells.requests.get(status)
      if (count === undefined) cells.requests.set(status, (count = requests.labels(handler, String(status))))
      count.inc()
      cells.duration.observe(durationSeconds)
      cells.size.observe(responseBytes)
    },
  }
}

interface HandlerCells {
  /** By status. */
  readonly requests: Map<number, CounterCell>
  readonly duration: HistogramCell
  readonly size: HistogramCell
}

/** Alertmanager's two families about its own requests. */
export function alertmanagerHttpMetrics(registry: Registry): HttpRequestMetrics {
  const buckets = [0.05, 0.1, 0.25, 0.5, 0.75, 1, 2, 5, 20, 60]
  const labels = ['handler', 'method']
  const durations = registry.histogram(
    'alertmanager_http_request_duration_seconds',
    'Histogram of latencies for HTTP requests.',
    labels,
    buckets,
  )
  const sizes = registry.histogram(
    'alertmanager_http_response_size_bytes',
    'Histogram of response size for HTTP requests.',
    labels,
    sizeBuckets,
  )
  return {
    observe(handler, method, _status, durationSeconds, responseBytes) {
      durations.observe(durationSeconds, handler, method.toLowerCase())
      sizes.observe(responseBytes, handler, method.toLowerCase())
    },
  }
}
