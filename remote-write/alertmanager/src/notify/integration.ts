import type { Alert } from '../alert.ts'
import type { AggregationGroup } from '../grouping/aggregation-group.ts'
import type { NotificationReason } from './dedup.ts'

/** One message to send. Firing alerts have the zero end. */
export interface Notification {
  readonly receiver: string
  readonly group: Pick<AggregationGroup, 'key' | 'labels' | 'route'>
  readonly alerts: readonly Alert[]
  readonly reason: NotificationReason
  readonly externalUrl: string
}

export type FailureReason =
  'other' | 'clientError' | 'serverError' | 'authError' | 'rateLimited' | 'contextCanceled' | 'contextDeadlineExceeded' | 'notBuilt'

/** A message was not taken. */
export class NotifyError extends Error {
  override name = 'NotifyError'
  /** Whether trying again may help. */
  readonly retry: boolean
  readonly reason: FailureReason

  constructor(message: string, retry: boolean, reason: FailureReason, options?: ErrorOptions) {
    super(message, options)
    this.retry = retry
    this.reason = reason
  }
}

/** One way to tell people. */
export interface Integration {
  /** `webhook`, `email`, … as in metrics and in the notification log. */
  readonly name: string
  /** Position among the receiver's integrations of this kind. */
  readonly index: number
  readonly sendResolved: boolean
  /** Rejects with a `NotifyError`; anything else counts as retriable. */
  notify(notification: Notification, signal: AbortSignal): Promise<void>
}

export interface Receiver {
  readonly name: string
  readonly integrations: readonly Integration[]
}
