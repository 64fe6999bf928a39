import type { Registry } from '@narthex/service/metrics'
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
  for (const reason of ['head', 'labels', 'histogram', 'exemplar']) refused.inc(0, reason)

  return function count(answer) {
    const { counts } = answer
    const version = answer.version === undefined ? 'unknown' : `${answer.version}.0`
    requests.inc(1, version, String(answer.status))
    samples.inc(counts.samples + counts.histograms, version)
    invalidLabels.inc(counts.invalidLabelSamples)
    refused.inc(counts.refusedSamples, 'head')
    refused.inc(counts.invalidLabelSamples, 'labels')
    refused.inc(counts.refusedHistograms, 'histogram')
    refused.inc(counts.refusedExemplars, 'exemplar')
  }
}
