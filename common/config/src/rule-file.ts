import { isValidLabelName, isValidMetricName } from '@narthex/model/name'
import { durationMs, integer, list, map, string } from './codec.ts'
import { ConfigError, type ConfigProblem } from './config-error.ts'
import { field, object, optional } from './object-codec.ts'
import { openYaml, type DecodeContext } from './yaml-decode.ts'

export interface RecordingRuleConfig {
  readonly kind: 'recording'
  readonly record: string
  readonly expr: string
  readonly labels: Readonly<Record<string, string>>
  readonly line: number
}

export interface AlertingRuleConfig {
  readonly kind: 'alerting'
  readonly alert: string
  readonly expr: string
  readonly forMs: number
  readonly keepFiringForMs: number
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly line: number
}

export type RuleConfig = RecordingRuleConfig | AlertingRuleConfig

export interface RuleGroupConfig {
  readonly file: string
  readonly name: string
  /** undefined: the global evaluation interval. */
  readonly intervalMs?: number
  /** Most series or alerts of one rule; 0: no limit. */
  readonly limit: number
  /** undefined: the global rule query offset. */
  readonly queryOffsetMs?: number
  /** Added to the labels of every rule, whose own win. */
  readonly labels: Readonly<Record<string, string>>
  readonly rules: readonly RuleConfig[]
}

export interface RuleFileChecks {
  /** Throws when an expression does not parse; its message is appended to `could not parse expression: `. */
  readonly parseExpression?: (expr: string) => void
  /** Throws when a label or annotation value is not a template; `name` names the template in Go's texts. */
  readonly parseTemplate?: (name: string, text: string) => void
  /** Keys that rule files do not have are passed over; default: they are problems. */
  readonly ignoresUnknownKeys?: boolean
}

interface RawRule {
  readonly record: string
  readonly alert: string
  readonly expr: string
  readonly forMs: number
  readonly keepFiringForMs: number
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

interface RawGroup {
  readonly name: string
  readonly intervalMs?: number
  readonly queryOffsetMs?: number
  readonly limit: number
  readonly rules: readonly RawRule[]
  readonly labels: Readonly<Record<string, string>>
}

const rule = object<RawRule>('rulefmt.Rule', {
  record: field('record', string, ''),
  alert: field('alert', string, ''),
  expr: field('expr', string, ''),
  forMs: field('for', durationMs, 0),
  keepFiringForMs: field('keep_firing_for', durationMs, 0),
  labels: field('labels', map(string), {}),
  annotations: field('annotations', map(string), {}),
})

const group = object<RawGroup>('rulefmt.RuleGroup', {
  name: field('name', string, ''),
  intervalMs: optional('interval', durationMs),
  queryOffsetMs: optional('query_offset', durationMs),
  limit: field('limit', integer, 0),
  rules: field('rules', list(rule, { goType: '[]rulefmt.Rule', emptyText: 'empty or null rule' }), []),
  labels: field('labels', map(string), {}),
})

const file = object<{ readonly groups: readonly RawGroup[] }>('rulefmt.RuleGroups', {
  groups: field('groups', list(group, { goType: '[]rulefmt.RuleGroup', emptyText: 'Groupname must not be empty' }), []),
})

/**
 * Reads and checks a rule file. Throws ConfigError with every problem, in promtool's texts. Expressions and templates are checked
 * by the functions given, so that this package needs neither parser.
 */
export function parseRuleFile(text: string, path: string, checks: RuleFileChecks = {}): RuleGroupConfig[] {
  const ignoresUnknownKeys = checks.ignoresUnknownKeys === true
  return openYaml(text, { path, dialect: 'v3', ignoresUnknownKeys }, (root, context) => {
    const raw = root === undefined ? { groups: [] } : context.collect(() => context.read(file, root))
    const [unread, ...others] = context.problems
    if (unread !== undefined || raw === undefined) throw new ConfigError(path, [unread!, ...others], 'unmarshal')
    const problems = checkGroups(raw.groups, context, checks)
    const [first, ...rest] = problems
    if (first !== undefined) throw new ConfigError(path, [first, ...rest], 'check')
    return raw.groups.map((given) => toGroup(given, path, context))
  })
}

function toGroup({ rules, ...rest }: RawGroup, path: string, context: DecodeContext): RuleGroupConfig {
  return { ...rest, file: path, rules: rules.map((given) => toRule(given, context)) }
}

function toRule(raw: RawRule, context: DecodeContext): RuleConfig {
  const { line } = context.placeOf(raw)
  const { record, alert, expr, labels, annotations, forMs, keepFiringForMs } = raw
  if (record !== '') return { kind: 'recording', record, expr, labels, line }
  return { kind: 'alerting', alert, expr, forMs, keepFiringForMs, labels, annotations, line }
}

function checkGroups(groups: readonly RawGroup[], context: DecodeContext, checks: RuleFileChecks): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const names = new Set<string>()
  for (const given of groups) {
    const groupPlace = context.placeOf(given)
    if (given.name === '') problems.push({ ...groupPlace, text: 'Groupname must not be empty' })
    else if (names.has(given.name)) problems.push({ ...groupPlace, text: `groupname: "${given.name}" is repeated in the same file` })
    names.add(given.name)
    for (const name of Object.keys(given.labels)) {
      if (!isValidLabelName(name) || name === '__name__')
        problems.push({ ...context.placeOf(given, 'labels'), text: `invalid label name: ${name}` })
    }
    for (const [index, rule_] of given.rules.entries()) {
      const shown = rule_.alert !== '' ? rule_.alert : rule_.record
      for (const { key, text } of checkRule(rule_, checks)) {
        const whole = `group ${JSON.stringify(given.name)}, rule ${index + 1}, ${JSON.stringify(shown)}: ${text}`
        const place = valueKeys.has(key) ? context.placeOfValue(rule_, key) : context.placeOf(rule_, key)
        problems.push({ ...place, text: whole })
      }
    }
  }
  return problems
}

/** Keys whose value is what Go points at. */
const valueKeys: ReadonlySet<string> = new Set(['record', 'alert', 'expr'])

interface RuleProblem {
  readonly key: string
  readonly text: string
}

function checkRule(rule_: RawRule, checks: RuleFileChecks): RuleProblem[] {
  const problems: RuleProblem[] = []
  const add = (key: string, text: string): void => void problems.push({ key, text })
  const { record, alert, expr } = rule_
  if (record !== '' && alert !== '') add('alert', "only one of 'record' and 'alert' must be set")
  if (record === '' && alert === '') add('expr', "one of 'record' or 'alert' must be set")
  if (expr === '') add(record === '' ? 'alert' : 'record', "field 'expr' must be set in rule")
  else
    addFailure(
      () => checks.parseExpression?.(expr),
      (text) => add('expr', `could not parse expression: ${text}`),
    )
  if (record !== '') {
    if (Object.keys(rule_.annotations).length > 0) add('annotations', "invalid field 'annotations' in recording rule")
    if (rule_.forMs !== 0) add('for', "invalid field 'for' in recording rule")
    if (rule_.keepFiringForMs !== 0) add('keep_firing_for', "invalid field 'keep_firing_for' in recording rule")
    if (!isValidMetricName(record)) add('record', `invalid recording rule name: ${record}`)
    // While record is a valid UTF-8 name, braces mean that a selector was written by mistake.
    else if (/[{}]/.test(record)) add('record', `braces present in the recording rule name; should it be in expr?: ${record}`)
  }
  for (const name of Object.keys(rule_.labels)) {
    if (!isValidLabelName(name) || name === '__name__') add('labels', `invalid label name: ${name}`)
  }
  for (const name of Object.keys(rule_.annotations)) if (!isValidLabelName(name)) add('annotations', `invalid annotation name: ${name}`)
  if (alert !== '' && checks.parseTemplate !== undefined) {
    const { parseTemplate } = checks
    for (const [kind, values] of [
      ['label', rule_.labels],
      ['annotation', rule_.annotations],
    ] as const) {
      for (const [name, value] of Object.entries(values)) {
        addFailure(
          () => parseTemplate(`__alert_${alert}`, value),
          (text) => add(`${kind}s`, `${kind} ${JSON.stringify(name)}: ${text}`),
        )
      }
    }
  }
  return problems
}

function addFailure(check: () => void, add: (text: string) => void): void {
  try {
    check()
  } catch (error) {
    add(error instanceof Error ? error.message : String(error))
  }
}
