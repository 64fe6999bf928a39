import type { ActiveAlert } from './alerting-rule.ts'
import type { AlertPayload, AlertSender, BeginAppend, ExpandTemplate, QueryFunction, SelectLastSamples } from './interfaces.ts'
import type { Clock } from '@narthex/service/clock'
import type { Logger } from '@narthex/service/logger'
import type { ParseOptions } from '@narthex/promql/parse/parse'
import type { Registry } from '@narthex/service/metrics'
import type { Rule } from './rule-group.ts'
import type { RuleConfig, RuleGroupConfig } from '@narthex/config/rule-file'
import type { RuleMetrics } from './rule-metrics.ts'
import { AlertingRule } from './alerting-rule.ts'
import { createTemplateExpander } from './alert-template.ts'
import { createRuleMetrics, forgetGroupMetrics, showGroupMetrics } from './rule-metrics.ts'
import { formatGoTime } from './go-time.ts'
import { generatorUrl } from './generator-url.ts'
import { groupPhaseMs, GroupSchedule } from './group-schedule.ts'
import { Labels } from '@narthex/model/labels'
import { parseExpression } from '@narthex/promql/parse/parse'
import { ParseError } from '@narthex/promql/parse/parse-error'
import { printExpression } from '@narthex/promql/parse/print'
import { RecordingRule } from './recording-rule.ts'
import { restoreForState } from './restore-for-state.ts'
import { RuleGroup } from './rule-group.ts'

export interface RuleManagerOptions {
  readonly query: QueryFunction
  readonly beginAppend: BeginAppend
  readonly selectLastSamples: SelectLastSamples
  readonly sender: AlertSender
  /** Switched-on parts of the language, the same as the query engine's. */
  readonly parseOptions?: ParseOptions
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  /** Least time between two messages about the same firing alert (`--rules.alert.resend-delay`), default 1 minute. */
  readonly resendDelayMs?: number
  /** `--rules.alert.for-outage-tolerance`, default 1 hour. */
  readonly outageToleranceMs?: number
  /** `--rules.alert.for-grace-period`, default 10 minutes. */
  readonly gracePeriodMs?: number
}

/** What a reload brings. */
export interface RuleManagerConfig {
  /** The groups of all rule files. */
  readonly groups: readonly RuleGroupConfig[]
  readonly evaluationIntervalMs: number
  readonly queryOffsetMs: number
  readonly externalLabels: Readonly<Record<string, string>>
  readonly externalUrl: string
}

interface RunningGroup {
  readonly group: RuleGroup
  readonly identity: string
  schedule: GroupSchedule | undefined
  /** False until the state of the group that it replaces is copied. */
  ready: boolean
  /** Evaluations until the `for` clocks are restored; 0 when that is done. */
  evaluationsToRestore: number
}

// Evaluations before restoring: the first may see too few scrapes and stale recording rules.
const evaluationsBeforeRestore = 2

/** Runs rule groups side by side, each on its own clock, and carries their state over reloads. */
export class RuleManager {
  readonly #options: RuleManagerOptions
  readonly #metrics: RuleMetrics
  readonly #expandTemplate: ExpandTemplate
  readonly #groups = new Map<string, RunningGroup>()
  readonly #cancelCleanups = new Set<() => void>()
  #started = false
  #stopped = false
  #loadedOnce = false
  readonly #abort = new AbortController()
  #lastUpdate: Promise<void> = Promise.resolve()

  constructor(options: RuleManagerOptions) {
    this.#options = options
    this.#metrics = createRuleMetrics(options.registry)
    this.#expandTemplate = countExpansions(createTemplateExpander(options.query), this.#metrics)
  }

  /**
   * Loads the rules at start and at each reload. Unchanged groups go on untouched; a changed one ends its running evaluation and
   * hands its state to the new one. Resolves when all new groups are on the clock.
   */
  update(config: RuleManagerConfig): Promise<void> {
    this.#lastUpdate = this.#lastUpdate.then(() => this.#update(config))
    return this.#lastUpdate
  }

  /** Starts the clocks; before that groups only exist (so that no query meets a storage that is still being replayed). */
  start(): void {
    this.#started = true
    for (const running of this.#groups.values()) this.#schedule(running)
  }

  /** Ends running queries and all clocks. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const cancel of this.#cancelCleanups) cancel()
    this.#cancelCleanups.clear()
    this.#abort.abort()
    await this.#lastUpdate
    await Promise.all([...this.#groups.values()].map(async ({ schedule }) => schedule?.stop()))
  }

  /** All groups by file, then name. */
  groups(): RuleGroup[] {
    const groups = [...this.#groups.values()].map((running) => running.group)
    return groups.sort((a, b) => compareText(a.file, b.file) || compareText(a.name, b.name))
  }

  async #update(config: RuleManagerConfig): Promise<void> {
    if (this.#stopped) return
    const previous = new Map(this.#groups)
    const changes: Promise<void>[] = []
    this.#groups.clear()
    for (const groupConfig of config.groups) changes.push(this.#placeGroup(groupConfig, config, previous))
    for (const removed of previous.values()) changes.push(this.#retireGroup(removed))
    this.#loadedOnce = true
    await Promise.all(changes)
  }

  async #placeGroup(groupConfig: RuleGroupConfig, config: RuleManagerConfig, previous: Map<string, RunningGroup>): Promise<void> {
    const key = `${groupConfig.file};${groupConfig.name}`
    const old = previous.get(key)
    previous.delete(key)
    const restoring = old === undefined ? !this.#loadedOnce : old.evaluationsToRestore > 0
    const group = this.#buildGroup(groupConfig, config, restoring)
    const identity = JSON.stringify([group.identity(), config.externalLabels, config.externalUrl])
    if (old !== undefined && old.identity === identity) {
      this.#groups.set(key, old)
      return
    }
    const evaluationsToRestore = restoring ? evaluationsBeforeRestore : 0
    const running: RunningGroup = { group, identity, schedule: undefined, ready: false, evaluationsToRestore }
    this.#groups.set(key, running)
    showGroupMetrics(this.#metrics, key)
    if (old !== undefined) {
      await old.schedule?.stop()
      group.copyState(old.group)
    }
    running.ready = true
    if (this.#started) this.#schedule(running)
  }

  #buildGroup(groupConfig: RuleGroupConfig, config: RuleManagerConfig, restoring: boolean): RuleGroup {
    const { query, beginAppend, clock, log, resendDelayMs = 60_000 } = this.#options
    return new RuleGroup({
      file: groupConfig.file,
      name: groupConfig.name,
      intervalMs: groupConfig.intervalMs ?? config.evaluationIntervalMs,
      limit: groupConfig.limit,
      queryOffsetMs: groupConfig.queryOffsetMs ?? config.queryOffsetMs,
      rules: groupConfig.rules.map((rule) => this.#buildRule(rule, groupConfig, config, restoring)),
      query,
      beginAppend,
      sendAlerts: (expression, alerts) => this.#send(expression, alerts, config.externalUrl),
      resendDelayMs,
      clock,
      log,
      metrics: this.#metrics,
    })
  }

  #buildRule(rule: RuleConfig, group: RuleGroupConfig, config: RuleManagerConfig, restoring: boolean): Rule {
    const given = { ...group.labels, ...rule.labels }
    const labels = Labels.from(given)
    const removed = Object.keys(given).filter((name) => given[name] === '')
    const query = formatExpression(rule.expr, this.#options.parseOptions)
    if (rule.kind === 'recording') return new RecordingRule(rule, labels, query, removed)
    const { externalUrl } = config
    const { log } = this.#options
    const externalLabels = Labels.from(config.externalLabels)
    const expandTemplate = this.#expandTemplate
    return new AlertingRule({
      config: rule,
      labels,
      removed,
      query,
      externalLabels,
      externalUrl,
      expandTemplate,
      log,
      restored: !restoring,
    })
  }

  #schedule(running: RunningGroup): void {
    if (running.schedule !== undefined || !running.ready || this.#stopped) return
    const { group } = running
    running.schedule = new GroupSchedule({
      clock: this.#options.clock,
      intervalMs: group.intervalMs,
      phaseMs: groupPhaseMs(group.file, group.name, group.intervalMs),
      run: (slotMs) => this.#runGroup(running, slotMs),
      missed: (count) => this.#metrics.iterationsMissed.inc(count, group.key),
      scheduled: (count) => this.#metrics.iterations.inc(count, group.key),
    })
  }

  async #runGroup(running: RunningGroup, slotMs: number): Promise<void> {
    const { group } = running
    const { signal } = this.#abort
    try {
      await group.evaluate(slotMs, signal)
      if (running.evaluationsToRestore > 0 && !signal.aborted && --running.evaluationsToRestore === 0) await this.#restore(group)
    } catch (error) {
      this.#options.log.error('Evaluating rule group failed', { file: group.file, group: group.name, err: error })
    }
  }

  async #restore(group: RuleGroup): Promise<void> {
    const { clock, log, selectLastSamples, outageToleranceMs = 3_600_000, gracePeriodMs = 600_000 } = this.#options
    const startMs = clock.now()
    await restoreForState(group.alertingRules(), startMs, { selectLastSamples, outageToleranceMs, gracePeriodMs, log })
    this.#metrics.lastRestoreDuration.set((clock.now() - startMs) / 1000, group.key)
  }

  // A renamed rule writes under its new group by then; the marker must not come between its first samples.
  async #retireGroup(removed: RunningGroup): Promise<void> {
    await removed.schedule?.stop()
    const { group } = removed
    const { clock, log } = this.#options
    const endedAtMs = clock.now()
    group.retireSeries()
    if (!this.#groups.has(group.key)) forgetGroupMetrics(this.#metrics, group.key)
    if (this.#stopped || group.staleSeries.length === 0) return
    const cancel = clock.setTimer(() => {
      this.#cancelCleanups.delete(cancel)
      group.endStaleSeries(endedAtMs).catch((error: unknown) => log.warn('Ending series of a removed group failed', { err: error }))
    }, 2 * group.intervalMs)
    this.#cancelCleanups.add(cancel)
  }

  #send(expression: string, alerts: readonly ActiveAlert[], externalUrl: string): void {
    const generatorURL = generatorUrl(externalUrl, expression)
    this.#options.sender.send(alerts.map((alert) => makePayload(alert, generatorURL)))
  }
}

function countExpansions(expand: ExpandTemplate, { templateExpansions, templateFailures }: RuleMetrics): ExpandTemplate {
  return async (name, text, data, signal) => {
    templateExpansions.inc()
    try {
      return await expand(name, text, data, signal)
    } catch (error) {
      templateFailures.inc()
      throw error
    }
  }
}

// Expressions are checked when rule files are loaded. Should one not parse here, the query engine says so at each evaluation.
function formatExpression(text: string, options: ParseOptions | undefined): string {
  try {
    return printExpression(parseExpression(text, options))
  } catch (error) {
    if (error instanceof ParseError) return text.trim()
    throw error
  }
}

function makePayload(alert: ActiveAlert, generatorURL: string): AlertPayload {
  return {
    labels: alert.labels.toRecord(),
    annotations: alert.annotations,
    startsAt: formatGoTime(alert.firedAtMs),
    endsAt: formatGoTime(alert.resolvedAtMs ?? alert.validUntilMs),
    generatorURL,
  }
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
