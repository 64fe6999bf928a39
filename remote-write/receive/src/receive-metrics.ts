import type { CounterCell, Registry } from '@narthex/service/metrics'
import type { ReceiveAnswer } from './receive-answer.ts'

/** Counts answers of the write route; Prometheus has one of these names, the rest are our own. */
export function createReceiveMetrics(registry: Registry, inflightBytes: () => number): (answer: ReceiveAnswer) => void {
  const invalidLabels = registry.counter(
    'prometheus_api_remote_write_invalid_labels_samples_total',
    'The total number of received remote write samples and histogram samples which were rejected due to invalid labels.',
  )
  const requests = registry.counter(
    'narthex_remote_write_received_requests_total',
    'Remote write requests by message version and status.',
    ['version', 'code'],
  )
  const samples = registry.counter('narthex_remote_write_received_samples_total', 'Samples received by remote write and stored.', [
    'version',
  ])
  const refused = registry.counter(
    'narthex_remote_write_refused_samples_total',
    'Samples received by remote write and not stored, by reason.',
    ['reason'],
  )
  const inflight = registry.gauge('narthex_remote_write_inflight_bytes', 'Bytes of remote write bodies being read or stored.')
  registry.onCollect(() => inflight.set(inflightBytes()))
  const refusedBy = {
    head: refused.labels('head'),
    labels: refused.labels('labels'),
    histogram: refused.labels('histogram'),
    exemplar: refused.labels('exemplar'),
  }
  const invalidLabelSamples = invalidLabels.labels()
  /** Looked up once for each version and status. */
  const cells = new Map<number, { readonly requests: CounterCell; readonly samples: CounterCell }>()

  return function count({ version, status, counts }) {
    const key = (version ?? 0) * 1000 + status
    let cell = cells.get(key)
    if (cell === undefined) {
      const name = version === undefined ? 'unknown' : `${version}.0`
      cells.set(key, (cell = { requests: requests.labels(name, String(status)), samples: samples.labels(name) }))
    }
    cell.requests.inc()
    cell.samples.inc(counts.samples + counts.histograms)
    invalidLabelSamples.inc(counts.invalidLabelSamples)
    refusedBy.head.inc(counts.refusedSamples)
    refusedBy.labels.inc(counts.invalidLabelSamples)
    refusedBy.histogram.inc(counts.refusedHistograms)
    refusedBy.exemplar.inc(counts.refusedExemplars)
  }
}
