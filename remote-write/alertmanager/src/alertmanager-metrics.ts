import type { Counter, Gauge, Histogram, Registry, Summary } from '@narthex/service/metrics'
import type { FailureReason } from './notify/integration.ts'

/** Alertmanager's own metrics that are counted here; those of silences and of the notification log are with their stores. */
export interface AlertmanagerMetrics {
  readonly received: Counter
  readonly invalid: Counter
  readonly notifications: Counter
  readonly notificationsFailed: Counter
  readonly requests: Counter
  readonly requestsFailed: Counter
  readonly suppressed: Counter
  readonly latency: Histogram
  readonly processingDuration: Summary
  readonly receivers: Gauge
  readonly integrations: Gauge
  readonly inhibitionRules: Gauge
  readonly configHash: Gauge
  readonly reloadSuccessful: Gauge
  readonly reloadTime: Gauge
}

const failureReasons: readonly FailureReason[] = [
  'other',
  'clientError',
  'serverError',
  'authError',
  'rateLimited',
  'contextCanceled',
  'contextDeadlineExceeded',
  'notBuilt',
]

export function createMetrics(registry: Registry): AlertmanagerMetrics {
  const received = registry.counter('alertmanager_alerts_received_total', 'Alerts received, by status.', ['status', 'version'])
  for (const status of ['firing', 'resolved']) received.labels(status, 'v2')
  const invalid = registry.counter('alertmanager_alerts_invalid_total', 'Alerts received that were invalid.', ['version'])
  invalid.labels('v2')
  registry.gauge('alertmanager_cluster_enabled', 'Whether clustering is on.').set(0)
  return {
    received,
    invalid,
    notifications: registry.counter('alertmanager_notifications_total', 'Messages that were to be sent.', ['integration']),
    notificationsFailed: registry.counter('alertmanager_notifications_failed_total', 'Messages that failed for good.', [
      'integration',
      'reason',
    ]),
    requests: registry.counter('alertmanager_notification_requests_total', 'Attempts to send a message.', ['integration']),
    requestsFailed: registry.counter('alertmanager_notification_requests_failed_total', 'Attempts that failed.', ['integration']),
    suppressed: registry.counter('alertmanager_notifications_suppressed_total', 'Alerts kept out of messages.', ['reason']),
    latency: registry.histogram(
      'alertmanager_notification_latency_seconds',
      'How long an attempt takes.',
      ['integration'],
      [1, 5, 10, 15, 20],
    ),
    processingDuration: registry.summary('alertmanager_dispatcher_alert_processing_duration_seconds', 'How long sorting an alert takes.'),
    receivers: registry.gauge('alertmanager_receivers', 'Receivers configured.'),
    integrations: registry.gauge('alertmanager_integrations', 'Integrations configured.'),
    inhibitionRules: registry.gauge('alertmanager_inhibition_rules', 'Inhibition rules configured.'),
    configHash: registry.gauge('alertmanager_config_hash', 'Hash of the loaded configuration.'),
    reloadSuccessful: registry.gauge('alertmanager_config_last_reload_successful', 'Whether the last reload worked.'),
    reloadTime: registry.gauge(
      'alertmanager_config_last_reload_success_timestamp_seconds',
      'When the configuration was last loaded, in seconds since the epoch.',
    ),
  }
}

/** Shows an integration's counters at zero before its first message, as alerts on `rate()` of them need. */
export function showIntegrationMetrics(metrics: AlertmanagerMetrics, integration: string): void {
  for (const metric of [metrics.notifications, metrics.requests, metrics.requestsFailed, metrics.latency]) metric.labels(integration)
  for (const reason of failureReasons) metrics.notificationsFailed.labels(integration, reason)
}
