import type { NotificationReason } from '../notify/dedup.ts'

/** Messages kept. */
export const historyLengthMax = 200
/** Alerts kept of each message. */
export const historyAlertsMax = 20

export interface HistoryAlert {
  readonly fingerprint: string
  readonly status: 'firing' | 'resolved'
  readonly labels: Readonly<Record<string, string>>
}

/** One message as the Alerts page shows it. */
export interface NotificationRecord {
  readonly timeMs: number
  readonly receiver: string
  readonly integration: string
  readonly groupKey: string
  readonly reason: NotificationReason
  readonly status: 'firing' | 'resolved'
  readonly alertCount: number
  /** The first of them. */
  readonly alerts: readonly HistoryAlert[]
  readonly outcome: 'delivered' | 'failed'
  readonly error?: string
}

/** The newest messages, in memory. */
export class NotificationHistory {
  readonly #records: NotificationRecord[] = []

  add(record: NotificationRecord): void {
    this.#records.push({ ...record, alerts: record.alerts.slice(0, historyAlertsMax) })
    if (this.#records.length > historyLengthMax) this.#records.shift()
  }

  /** Newest first. */
  recent(): NotificationRecord[] {
    return this.#records.toReversed()
  }
}
