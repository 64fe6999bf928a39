import type { Alert } from '../alert.ts'
import type { AggregationGroup } from '../grouping/aggregation-group.ts'
import type { AlertmanagerMetrics } from '../alertmanager-metrics.ts'
import type { Clock } from '@narthex/service/clock'
import type { Integration, Notification, Receiver } from './integration.ts'
import type { Logger } from '@narthex/service/logger'
import type { NotificationHistory } from '../history/notification-history.ts'
import type { NotificationLog } from './notification-log.ts'
import type { Suppression } from './suppression.ts'
import { findReasonToSend } from './dedup.ts'
import { hashForLog } from '../alert.ts'
import { isFiring } from './template-data.ts'
import { msToNs } from '../rfc3339.ts'
import { NotifyError } from './integration.ts'
import { sendWithRetries } from './retry.ts'

export interface PipelineOptions {
  readonly receivers: ReadonlyMap<string, Receiver>
  readonly suppression: Suppression
  readonly notificationLog: NotificationLog
  readonly history: NotificationHistory
  readonly externalUrl: string
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  readonly metrics: AlertmanagerMetrics
}

/** From a group's alerts to messages: what is suppressed goes, then each integration decides for itself whether it has news. */
export class Pipeline {
  readonly #options: PipelineOptions

  constructor(options: PipelineOptions) {
    this.#options = options
  }

  /** True if every integration of the receiver was told or had no need; false if one failed. */
  async notifyGroup(group: AggregationGroup, alerts: readonly Alert[], signal: AbortSignal): Promise<boolean> {
    const { log, receivers } = this.#options
    const wanted = this.#dropSuppressed(group, alerts)
    if (wanted.length === 0) return true
    const integrations = receivers.get(group.route.receiver)?.integrations ?? []
    const outcomes = await Promise.all(integrations.map((integration) => this.#notify(integration, group, wanted, signal)))
    const failures = outcomes.filter((outcome) => outcome !== undefined)
    for (const error of failures) log.error('Notify for alerts failed', { num_alerts: wanted.length, err: error })
    return failures.length === 0
  }

  #dropSuppressed(group: AggregationGroup, alerts: readonly Alert[]): readonly Alert[] {
    const { metrics, suppression, clock } = this.#options
    const uninhibited = alerts.filter((alert) => suppression.inhibitedBy(alert.labels).length === 0)
    metrics.suppressed.inc(alerts.length - uninhibited.length, 'inhibition')
    const muted = suppression.mutedBy(group.route, clock.now())
    if (muted !== undefined) {
      metrics.suppressed.inc(uninhibited.length, muted.reason)
      return []
    }
    const unsilenced = uninhibited.filter((alert) => suppression.silencedBy(alert.labels).length === 0)
    metrics.suppressed.inc(uninhibited.length - unsilenced.length, 'silence')
    return unsilenced
  }

  async #notify(
    integration: Integration,
    group: AggregationGroup,
    alerts: readonly Alert[],
    signal: AbortSignal,
  ): Promise<NotifyError | undefined> {
    const { clock, externalUrl, notificationLog } = this.#options
    const receiver = group.route.receiver
    const logReceiver = { groupName: receiver, integration: integration.name, index: integration.index }
    const firing = new Set(alerts.filter(isFiring).map((alert) => hashForLog(alert.labels)))
    const resolved = new Set(alerts.filter((alert) => !isFiring(alert)).map((alert) => hashForLog(alert.labels)))
    const { repeatIntervalMs } = group.route
    const { sendResolved } = integration
    const entry = notificationLog.find(group.key, logReceiver)
    const reason = findReasonToSend({ entry, firing, resolved, sendResolved, repeatIntervalMs, nowNs: msToNs(clock.now()) })
    if (reason === undefined) return undefined
    // Without send_resolved the end is not told, but noted, so that a new beginning is told.
    const told = sendResolved ? alerts : alerts.filter(isFiring)
    if (told.length > 0) {
      const error = await this.#send(integration, { receiver, group, alerts: told, reason, externalUrl }, signal)
      if (error !== undefined) return error
    }
    notificationLog.note({ groupKey: group.key, receiver: logReceiver, firing, resolved }, 2 * repeatIntervalMs)
    return undefined
  }

  async #send(integration: Integration, notification: Notification, signal: AbortSignal): Promise<NotifyError | undefined> {
    const { clock, log, metrics, random } = this.#options
    const { name } = integration
    metrics.notifications.inc(1, name)
    const attempted = (durationMs: number, error: NotifyError | undefined) => {
      metrics.requests.inc(1, name)
      if (error !== undefined) metrics.requestsFailed.inc(1, name)
      metrics.latency.observe(durationMs / 1000, name)
    }
    try {
      const attempts = await sendWithRetries(integration, notification, signal, { clock, log, random, attempted })
      log.debug('Notify success', { attempts, receiver: notification.receiver, integration: name, aggrGroup: notification.group.key })
      this.#record(integration, notification, undefined)
      return undefined
    } catch (error) {
      if (!(error instanceof NotifyError)) throw error
      metrics.notificationsFailed.inc(1, name, error.reason)
      this.#record(integration, notification, error)
      return error
    }
  }

  #record(integration: Integration, notification: Notification, error: NotifyError | undefined): void {
    const { alerts, group, reason, receiver } = notification
    this.#options.history.add({
      timeMs: this.#options.clock.now(),
      receiver,
      integration: integration.name,
      groupKey: group.key,
      reason,
      status: alerts.some(isFiring) ? 'firing' : 'resolved',
      alertCount: alerts.length,
      alerts: alerts.map((alert) => ({
        fingerprint: alert.fingerprint,
        status: isFiring(alert) ? 'firing' : 'resolved',
        labels: alert.labels.toRecord(),
      })),
      outcome: error === undefined ? 'delivered' : 'failed',
      ...(error === undefined ? {} : { error: error.message }),
    })
  }
}
