import type { Alert } from '../alert.ts'
import type { Labels } from '@narthex/model/labels'
import type { Notification } from './integration.ts'
import { compareBytewise } from '@narthex/model/compare'
import { formatNanoTime, zeroTimeNs } from '../rfc3339.ts'

type Texts = Readonly<Record<string, string>>

export interface TemplateAlert {
  readonly status: 'firing' | 'resolved'
  readonly labels: Texts
  readonly annotations: Texts
  readonly startsAt: string
  readonly endsAt: string
  readonly generatorURL: string
  readonly fingerprint: string
}

/** What templates and the webhook see of a notification. */
export interface TemplateData {
  readonly receiver: string
  readonly status: 'firing' | 'resolved'
  readonly alerts: readonly TemplateAlert[]
  readonly notification_reason: string
  readonly groupLabels: Texts
  readonly commonLabels: Texts
  readonly commonAnnotations: Texts
  readonly routeLabels: Texts
  readonly externalURL: string
}

export function makeTemplateData(notification: Notification): TemplateData {
  const { receiver, group, alerts, reason, externalUrl } = notification
  return {
    receiver: quoteRegex(receiver),
    status: alerts.some((alert) => alert.endsAtNs === zeroTimeNs) ? 'firing' : 'resolved',
    alerts: alerts.map(describeAlert),
    notification_reason: reason,
    groupLabels: group.labels.toRecord(),
    commonLabels: findCommon(alerts.map((alert) => recordOf(alert.labels))),
    commonAnnotations: findCommon(alerts.map((alert) => alert.annotations)),
    routeLabels: sortKeys(group.route.labels),
    externalURL: externalUrl,
  }
}

/** Whether this alert of a flush fires. */
export function isFiring(alert: Alert): boolean {
  return alert.endsAtNs === zeroTimeNs
}

function describeAlert(alert: Alert): TemplateAlert {
  return {
    status: isFiring(alert) ? 'firing' : 'resolved',
    labels: recordOf(alert.labels),
    annotations: sortKeys(alert.annotations),
    startsAt: formatNanoTime(alert.startsAtNs),
    endsAt: formatNanoTime(alert.endsAtNs),
    generatorURL: alert.generatorURL,
    fingerprint: alert.fingerprint,
  }
}

function recordOf(labels: Labels): Texts {
  return labels.toRecord()
}

function sortKeys(texts: Texts): Texts {
  return Object.fromEntries(Object.entries(texts).sort(([a], [b]) => compareBytewise(a, b)))
}

function findCommon(sets: readonly Texts[]): Texts {
  const [first, ...rest] = sets
  if (first === undefined) return {}
  const common = Object.entries(first).filter(([name, value]) => rest.every((set) => Object.hasOwn(set, name) && set[name] === value))
  return sortKeys(Object.fromEntries(common))
}

// Go's regexp.QuoteMeta, which Alertmanager applies to the receiver's name.
function quoteRegex(text: string): string {
  return text.replaceAll(/[\\.+*?()|[\]{}^$]/g, '\\$&')
}
