import type { ActiveAlert, AlertingRule, AlertState } from './alerting-rule.ts'
import type { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import type { RecordingRule } from './recording-rule.ts'
import type { RuleEntry, RuleGroup } from './rule-group.ts'
import { formatFloatExponent } from '@narthex/model/number'
import { formatGoTime } from './go-time.ts'

export interface AlertView {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly state: AlertState
  readonly activeAt: string
  readonly keepFiringSince?: string
  readonly value: string
}

export interface RuleView {
  readonly state?: AlertState
  readonly name: string
  readonly query: string
  /** Seconds. */
  readonly duration?: number
  readonly keepFiringFor?: number
  readonly labels: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly alerts?: readonly AlertView[] | null
  readonly health: string
  readonly lastError?: string
  readonly evaluationTime: number
  readonly lastEvaluation: string
  readonly type: 'alerting' | 'recording'
}

export interface RuleGroupView {
  readonly name: string
  readonly file: string
  readonly rules: readonly RuleView[]
  readonly interval: number
  readonly limit: number
  readonly evaluationTime: number
  readonly lastEvaluation: string
}

/** What `/api/v1/rules` may ask for; empty lists ask for everything. */
export interface RuleFilter {
  readonly type?: 'alert' | 'record' | undefined
  readonly ruleNames?: readonly string[]
  readonly ruleGroups?: readonly string[]
  readonly files?: readonly string[]
  /** Sets of matchers on the rule's own labels; one whole set has to match. */
  readonly matcherSets?: readonly (readonly Matcher[])[]
  readonly excludeAlerts?: boolean
}

/** `data` of `/api/v1/rules`. Groups in which the filter leaves no rule are left out; groups without a filter stay even if empty. */
export function viewRuleGroups(groups: readonly RuleGroup[], filter: RuleFilter = {}): { groups: RuleGroupView[] } {
  const views: RuleGroupView[] = []
  for (const group of groups) {
    if (!isWanted(filter.ruleGroups, group.name) || !isWanted(filter.files, group.file)) continue
    const entries = group.entries.filter((entry) => matchesFilter(entry, filter))
    if (entries.length === 0) continue
    views.push({
      name: group.name,
      file: group.file,
      rules: entries.map((entry) => viewRule(entry, filter.excludeAlerts === true)),
      interval: group.intervalMs / 1000,
      limit: group.limit,
      evaluationTime: group.evaluationDurationMs / 1000,
      lastEvaluation: formatGoTime(group.lastEvaluationMs),
    })
  }
  return { groups: views }
}

/** `data` of `/api/v1/alerts`: pending and firing alerts of all groups. */
export function viewAlerts(groups: readonly RuleGroup[]): { alerts: AlertView[] } {
  const rules = groups.flatMap((group) => group.alertingRules())
  return { alerts: rules.flatMap((rule) => rule.activeAlerts().map(viewAlert)) }
}

function viewRule(entry: RuleEntry, excludeAlerts: boolean): RuleView {
  const { rule } = entry
  return rule.type === 'alerting' ? viewAlertingRule(rule, entry, excludeAlerts) : viewRecordingRule(rule, entry)
}

function viewAlertingRule(rule: AlertingRule, entry: RuleEntry, excludeAlerts: boolean): RuleView {
  return {
    state: rule.state,
    name: rule.name,
    query: rule.query,
    duration: rule.forMs / 1000,
    keepFiringFor: rule.keepFiringForMs / 1000,
    labels: rule.labels.toRecord(),
    annotations: rule.annotations,
    alerts: excludeAlerts ? null : rule.activeAlerts().map(viewAlert),
    ...viewHealth(entry),
    type: 'alerting',
  }
}

function viewRecordingRule(rule: RecordingRule, entry: RuleEntry): RuleView {
  return { name: rule.name, query: rule.query, labels: rule.labels.toRecord(), ...viewHealth(entry), type: 'recording' }
}

function viewHealth(entry: RuleEntry) {
  return {
    health: entry.health,
    ...(entry.lastError === '' ? {} : { lastError: entry.lastError }),
    evaluationTime: entry.evaluationDurationMs / 1000,
    lastEvaluation: formatGoTime(entry.lastEvaluationMs),
  }
}

function viewAlert(alert: ActiveAlert): AlertView {
  return {
    labels: alert.labels.toRecord(),
    annotations: alert.annotations,
    state: alert.state,
    activeAt: formatGoTime(alert.activeAtMs),
    ...(alert.keepFiringSinceMs === undefined ? {} : { keepFiringSince: formatGoTime(alert.keepFiringSinceMs) }),
    value: formatFloatExponent(alert.value),
  }
}

function isWanted(wanted: readonly string[] | undefined, name: string): boolean {
  return wanted === undefined || wanted.length === 0 || wanted.includes(name)
}

function matchesFilter({ rule }: RuleEntry, filter: RuleFilter): boolean {
  if (filter.type !== undefined && (filter.type === 'alert') !== (rule.type === 'alerting')) return false
  return isWanted(filter.ruleNames, rule.name) && matchesAnySet(filter.matcherSets, rule.labels)
}

function matchesAnySet(sets: readonly (readonly Matcher[])[] | undefined, labels: Labels): boolean {
  if (sets === undefined || sets.length === 0) return true
  return sets.some((matchers) => matchers.every((matcher) => matcher.matches(labels.get(matcher.name))))
}
