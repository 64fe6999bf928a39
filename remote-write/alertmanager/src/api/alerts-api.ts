import type { Alert } from '../alert.ts'
import type { AlertmanagerMetrics } from '../alertmanager-metrics.ts'
import type { AlertStore } from '../alert-store.ts'
import type { ApiAnswer } from './api-answer.ts'
import type { ApiBody } from './read-body.ts'
import type { Clock } from '@narthex/service/clock'
import type { Dispatcher } from '../grouping/dispatcher.ts'
import type { Matcher } from '@narthex/model/matcher'
import type { Suppression } from '../notify/suppression.ts'
import { answerEmpty, answerJson, ApiError, schemaError } from './api-answer.ts'
import { BodyReader, jsonKind, parseBody, unreadable } from './read-body.ts'
import { compareBytewise } from '@narthex/model/compare'
import { fingerprintLabels } from '../alert.ts'
import { formatApiTime, msToNs, zeroTimeNs } from '../rfc3339.ts'
import { Labels } from '@narthex/model/labels'
import { matchesAll } from '../matcher-parser.ts'
import { matchRoutes } from '../routing/route.ts'
import { readFilter, readFlag, readReceiver } from './read-query.ts'

/** The running parts that the alert paths of the API look at; a reload replaces them. */
export interface AlertsApiParts {
  readonly alerts: AlertStore
  readonly dispatcher: Dispatcher
  readonly suppression: Suppression
  readonly metrics: AlertmanagerMetrics
  readonly clock: Clock
  readonly resolveTimeoutMs: number
}

/** An alert as senders give it. */
export interface PostedAlert {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly generatorURL: string
  readonly startsAtNs: bigint | undefined
  readonly endsAtNs: bigint | undefined
}

/** `POST /api/v2/alerts`. */
export function postAlerts(parts: AlertsApiParts, body: ApiBody): ApiAnswer {
  const problems = storeAlerts(parts, readPostedAlerts(parseBody(body, 'alerts')))
  if (problems.length > 0) throw new ApiError(400, problems.join('; '))
  return answerEmpty()
}

/** Stores the valid ones and gives the problems of the others. */
export function storeAlerts(parts: AlertsApiParts, posted: readonly PostedAlert[]): string[] {
  const { alerts, clock, metrics, resolveTimeoutMs } = parts
  const nowNs = msToNs(clock.now())
  const problems: string[] = []
  for (const one of posted) {
    const alert = completeAlert(one, nowNs, resolveTimeoutMs)
    metrics.received.inc(1, alert.endsAtNs > nowNs ? 'firing' : 'resolved', 'v2')
    const problem = findAlertProblem(alert, one)
    if (problem !== undefined) metrics.invalid.inc(1, 'v2')
    const refusal = problem ?? alerts.put(alert)
    if (refusal !== undefined) problems.push(refusal)
  }
  return problems
}

/** `GET /api/v2/alerts`. */
export function getAlerts(parts: AlertsApiParts, query: URLSearchParams): ApiAnswer {
  const receiver = readReceiver(query)
  const keeps = createFilter(parts, query)
  const found: [string, unknown][] = []
  for (const alert of parts.alerts.all()) {
    const receivers = findReceivers(parts, alert)
    if (receiver !== undefined && !receivers.some((name) => receiver.test(name))) continue
    const status = describeStatus(parts, alert, [])
    if (keeps(alert, status)) found.push([alert.fingerprint, describeAlert(alert, status, receivers)])
  }
  found.sort(([a], [b]) => compareBytewise(a, b))
  return answerJson(found.map(([, alert]) => alert))
}

/** `GET /api/v2/alerts/groups`. */
export function getAlertGroups(parts: AlertsApiParts, query: URLSearchParams): ApiAnswer {
  const receiver = readReceiver(query)
  const keeps = createFilter(parts, query)
  const wantsMuted = readFlag(query, 'muted')
  const groups: unknown[] = []
  for (const group of parts.dispatcher.groups()) {
    const { route } = group
    if (receiver !== undefined && !receiver.test(route.receiver)) continue
    const mutedBy = parts.suppression.mutedBy(route, parts.clock.now())?.names ?? []
    if (mutedBy.length > 0 && !wantsMuted) continue
    const alerts: unknown[] = []
    for (const alert of group.alerts()) {
      const status = describeStatus(parts, alert, mutedBy)
      if (keeps(alert, status)) alerts.push(describeAlert(alert, status, [...new Set(findReceivers(parts, alert))].sort(compareBytewise)))
    }
    if (alerts.length === 0) continue
    groups.push({ alerts, labels: group.labels.toRecord(), receiver: { name: route.receiver }, routeLabels: route.labels })
  }
  return answerJson(groups)
}

export interface AlertStatus {
  readonly inhibitedBy: readonly string[]
  readonly mutedBy: readonly string[]
  readonly silencedBy: readonly string[]
  readonly state: 'active' | 'suppressed' | 'unprocessed'
}

export function describeStatus(
  { suppression }: Pick<AlertsApiParts, 'suppression'>,
  alert: Alert,
  mutedBy: readonly string[],
): AlertStatus {
  const inhibitedBy = suppression.inhibitedBy(alert.labels)
  const silencedBy = suppression.silencedBy(alert.labels)
  const isSuppressed = inhibitedBy.length + silencedBy.length + mutedBy.length > 0
  return { inhibitedBy, mutedBy, silencedBy, state: isSuppressed ? 'suppressed' : 'active' }
}

function createFilter({ clock }: AlertsApiParts, query: URLSearchParams): (alert: Alert, status: AlertStatus) => boolean {
  const matchers: readonly Matcher[] = readFilter(query)
  const wantsActive = readFlag(query, 'active')
  const wantsSilenced = readFlag(query, 'silenced')
  const wantsInhibited = readFlag(query, 'inhibited')
  const nowNs = msToNs(clock.now())
  return (alert, status) => {
    if (alert.endsAtNs !== zeroTimeNs && alert.endsAtNs < nowNs) return false
    if (!wantsActive && status.state === 'active') return false
    if (!wantsSilenced && status.silencedBy.length > 0) return false
    if (!wantsInhibited && status.inhibitedBy.length > 0) return false
    return matchesAll(matchers, alert.labels)
  }
}

function findReceivers({ dispatcher }: AlertsApiParts, alert: Alert): string[] {
  return matchRoutes(dispatcher.route, alert.labels).map((route) => route.receiver)
}

function describeAlert(alert: Alert, status: AlertStatus, receivers: readonly string[]): unknown {
  return {
    annotations: alert.annotations,
    endsAt: formatApiTime(alert.endsAtNs),
    fingerprint: alert.fingerprint,
    receivers: receivers.map((name) => ({ name })),
    startsAt: formatApiTime(alert.startsAtNs),
    status,
    updatedAt: formatApiTime(alert.updatedAtNs),
    ...(alert.generatorURL === '' ? {} : { generatorURL: alert.generatorURL }),
    labels: alert.labels.toRecord(),
  }
}

function readPostedAlerts(value: unknown): PostedAlert[] {
  if (!Array.isArray(value)) {
    throw unreadable('alerts', `json: cannot unmarshal ${jsonKind(value)} into Go value of type models.PostableAlerts`)
  }
  const readers = value.map((item: unknown) => new BodyReader(item, 'alerts', 'Alert'))
  const posted = readers.map((reader) => ({
    labels: reader.texts('labels'),
    annotations: reader.texts('annotations') ?? {},
    generatorURL: reader.text('generatorURL') ?? '',
    startsAtNs: reader.time('startsAt'),
    endsAtNs: reader.time('endsAt'),
  }))
  return posted.map((alert, index) => {
    if (alert.labels === undefined) throw schemaError(602, `${index}.labels in body is required`)
    if (alert.generatorURL !== '' && !isUri(alert.generatorURL)) {
      throw schemaError(601, `${index}.generatorURL in body must be of type uri: ${JSON.stringify(alert.generatorURL)}`)
    }
    return { ...alert, labels: alert.labels }
  })
}

function completeAlert(posted: PostedAlert, nowNs: bigint, resolveTimeoutMs: number): Alert {
  const given = (timeNs: bigint | undefined) => (timeNs === zeroTimeNs ? undefined : timeNs)
  const endsAtNs = given(posted.endsAtNs)
  const labels = Labels.from(posted.labels)
  return {
    labels,
    annotations: sortByName(posted.annotations),
    generatorURL: posted.generatorURL,
    startsAtNs: given(posted.startsAtNs) ?? (endsAtNs !== undefined && endsAtNs < nowNs ? endsAtNs : nowNs),
    endsAtNs: endsAtNs ?? nowNs + msToNs(resolveTimeoutMs),
    updatedAtNs: nowNs,
    timeout: endsAtNs === undefined,
    fingerprint: fingerprintLabels(labels),
  }
}

function findAlertProblem(alert: Alert, posted: PostedAlert): string | undefined {
  if (alert.endsAtNs < alert.startsAtNs) return 'start time must be before end time'
  if (Object.hasOwn(posted.labels, '') && posted.labels[''] !== '') return 'invalid label set: invalid name ""'
  if (alert.labels.size === 0) return 'at least one label pair required'
  return Object.hasOwn(alert.annotations, '') ? 'invalid annotations: invalid name ""' : undefined
}

function sortByName(texts: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(texts).sort(([a], [b]) => compareBytewise(a, b)))
}

function isUri(text: string): boolean {
  return text.startsWith('/') || URL.canParse(text)
}
