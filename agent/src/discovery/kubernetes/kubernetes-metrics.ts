import type { KubernetesRole } from '@narthex/config/discovery-config'
import type { Registry } from '@narthex/service/metrics'

const roles: readonly KubernetesRole[] = ['endpointslice', 'endpoints', 'node', 'pod', 'service', 'ingress']

/** Metrics of Kubernetes discovery, under Prometheus' names. */
export function createKubernetesMetrics(registry: Registry) {
  const events = registry.counter('prometheus_sd_kubernetes_events_total', 'The number of Kubernetes events handled.', ['role', 'event'])
  // There from the start, so that a first event is an increase.
  for (const role of roles) for (const event of ['add', 'delete', 'update']) events.labels(role, event)
  return {
    events,
    failures: registry.counter('prometheus_sd_kubernetes_failures_total', 'The number of failed WATCH/LIST requests.').labels(),
    requests: registry.counter(
      'prometheus_sd_kubernetes_http_request_total',
      'Total number of HTTP requests to the Kubernetes API by status code.',
      ['status_code'],
    ),
    requestDuration: registry.summary(
      'prometheus_sd_kubernetes_http_request_duration_seconds',
      'Summary of latencies for HTTP requests to the Kubernetes API by endpoint.',
      ['endpoint'],
    ),
  }
}

export type KubernetesMetrics = ReturnType<typeof createKubernetesMetrics>
