import type { BeginAppend, QueryFunction, SampleAppender } from './interfaces.ts'
import type { ActiveAlert, RuleSample } from './alerting-rule.ts'
import type { Clock } from '@narthex/service/clock'
import type { Labels } from '@narthex/model/labels'
import type { Logger } from '@narthex/service/logger'
import type { RecordingRule } from './recording-rule.ts'
import type { RuleMetrics } from './rule-metrics.ts'
import { AlertingRule } from './alerting-rule.ts'
import { resultsPerTurn, yieldTurn } from './event-loop-turn.ts'
import { STALE_HIGH, STALE_LOW } from '@narthex/model/stale'

export type Rule = AlertingRule | RecordingRule
export type RuleHealth = 'unknown' | 'ok' | 'err'

/** A rule and what its last evaluation left behind. */
export interface RuleEntry {
  readonly rule: Rule
  health: RuleHealth
  lastError: string
  evaluationDurationMs: number
  /** Wall time of the last evaluation; undefined before the first. */
  lastEvaluationMs: number | undefined
  /** Series written by the last evaluation, by label set; those that vanish get a stale marker. */
  previousSeries: Map<string, Labels>
}

export interface RuleGroupOptions {
  readonly file: string
  readonly name: string
  readonly intervalMs: number
  readonly limit: number
  readonly queryOffsetMs: number
  readonly rules: readonly Rule[]
  readonly query: QueryFunction
  readonly beginAppend: BeginAppend
  readonly sendAlerts: (query: string, alerts: readonly ActiveAlert[]) => void
  readonly resendDelayMs: number
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: RuleMetrics
}

/** The rules of one group, evaluated in order; when, is the schedule's business. */
export class RuleGroup {
  readonly file: string
  readonly name: string
  readonly intervalMs: number
  readonly limit: number
  readonly queryOffsetMs: number
  readonly entries: readonly RuleEntry[]
  evaluationDurationMs = 0
  lastEvaluationMs: number | undefined
  /** Series of rules that are gone, to be ended at the next evaluation. */
  staleSeries: Labels[] = []
  readonly #options: RuleGroupOptions

  constructor(options: RuleGroupOptions) {
    this.#options = options
    this.file = options.file
    this.name = options.name
    this.intervalMs = options.intervalMs
    this.limit = options.limit
    this.queryOffsetMs = options.queryOffsetMs
    this.entries = options.rules.map(newEntry)
    options.metrics.rules.set(this.entries.length, this.key)
    options.metrics.interval.set(this.intervalMs / 1000, this.key)
  }

  /** Identity of a group in metrics and across reloads. */
  get key(): string {
    return `${this.file};${this.name}`
  }

  /** Equal strings mean that a reload changed nothing in this group. */
  identity(): string {
    const { key, intervalMs, limit, queryOffsetMs } = this
    return JSON.stringify([key, intervalMs, limit, queryOffsetMs, this.entries.map(({ rule }) => rule.identity())])
  }

  alertingRules(): AlertingRule[] {
    return this.entries.map((entry) => entry.rule).filter((rule) => rule instanceof AlertingRule)
  }

  /**
   * Evaluates all rules for `timeMs`, each one's results committed before the next rule runs. Failures of a rule are kept in its
   * entry, counted and logged; the others go on. An aborted signal ends the evaluation between or inside rules without an error.
   */
  async evaluate(timeMs: number, signal?: AbortSignal): Promise<void> {
    const { clock, metrics } = this.#options
    const startMs = clock.now()
    let sampleCount = 0
    for (const entry of this.entries) {
      if (signal?.aborted === true) return
      sampleCount += await this.#evaluateRule(entry, timeMs, signal)
    }
    if (signal?.aborted === true) return
    metrics.lastSamples.set(sampleCount, this.key)
    await this.endStaleSeries(timeMs)
    this.evaluationDurationMs = clock.now() - startMs
    this.lastEvaluationMs = timeMs
    metrics.groupDuration.observe(this.evaluationDurationMs / 1000)
    metrics.lastDuration.set(this.evaluationDurationMs / 1000, this.key)
    metrics.lastEvaluationTime.set(timeMs / 1000, this.key)
  }

  /** Takes over alerts and written series of the same rules (name and labels) from the group that this one replaces. */
  copyState(from: RuleGroup): void {
    this.evaluationDurationMs = from.evaluationDurationMs
    this.lastEvaluationMs = from.lastEvaluationMs
    this.staleSeries = [...from.staleSeries]
    const candidates = Map.groupBy(from.entries, (entry) => nameAndLabels(entry.rule))
    for (const entry of this.entries) {
      const source = candidates.get(nameAndLabels(entry.rule))?.shift()
      if (source === undefined) continue
      entry.previousSeries = source.previousSeries
      if (!(entry.rule instanceof AlertingRule) || !(source.rule instanceof AlertingRule)) continue
      for (const [key, alert] of source.rule.active) entry.rule.active.set(key, alert)
    }
    for (const leftovers of candidates.values()) {
      for (const entry of leftovers) this.staleSeries.push(...entry.previousSeries.values())
    }
  }

  /** Every series of the last evaluation becomes one to be ended: the group is going away. */
  retireSeries(): void {
    for (const entry of this.entries) {
      this.staleSeries.push(...entry.previousSeries.values())
      entry.previousSeries = new Map()
    }
  }

  /** Writes stale markers for `staleSeries` at `timeMs` less the query offset. */
  async endStaleSeries(timeMs: number): Promise<void> {
    if (this.staleSeries.length === 0) return
    const { log } = this.#options
    try {
      await this.#appendInTurns(this.staleSeries, (appender, labels) => appendStale(appender, labels, timeMs - this.queryOffsetMs, log))
      this.staleSeries = []
    } catch (error) {
      log.warn('Stale sample appending for previous configuration failed', { file: this.file, group: this.name, err: error })
    }
  }

  async #evaluateRule(entry: RuleEntry, timeMs: number, signal: AbortSignal | undefined): Promise<number> {
    const { clock, log, metrics } = this.#options
    const { rule } = entry
    const startMs = clock.now()
    metrics.evaluations.inc(1, this.key)
    try {
      const samples = await this.#runRule(rule, timeMs, signal)
      entry.health = 'ok'
      entry.lastError = ''
      await this.#storeSamples(entry, samples, timeMs)
      return samples.length
    } catch (error) {
      if (signal?.aborted === true) return 0
      this.#markBad(entry, error instanceof Error ? error.message : String(error))
      metrics.evaluationFailures.inc(1, this.key)
      log.warn('Evaluating rule failed', { file: this.file, group: this.name, name: rule.name, err: error })
      return 0
    } finally {
      entry.evaluationDurationMs = clock.now() - startMs
      entry.lastEvaluationMs = startMs
      metrics.evaluationDuration.observe(entry.evaluationDurationMs / 1000)
    }
  }

  async #runRule(rule: Rule, timeMs: number, signal: AbortSignal | undefined): Promise<RuleSample[]> {
    const { query, sendAlerts, resendDelayMs } = this.#options
    const result = await query(rule.query, timeMs - this.queryOffsetMs, signal, { file: this.file, name: this.name })
    if (rule.type === 'recording') return rule.evaluate(result, this.limit)
    const samples = await rule.evaluate(result, timeMs, this.limit, signal)
    const due = rule.takeAlertsToSend(timeMs, resendDelayMs, this.intervalMs)
    if (due.length > 0) sendAlerts(rule.query, due)
    return samples
  }

  async #storeSamples(entry: RuleEntry, samples: readonly RuleSample[], timeMs: number): Promise<void> {
    if (samples.length === 0 && entry.previousSeries.size === 0) return
    const { log } = this.#options
    const resultTimeMs = timeMs - this.queryOffsetMs
    const written = new Map<string, Labels>()
    const dropped = { 'out-of-order': 0, 'too-old': 0, duplicate: 0 }
    await this.#appendInTurns(samples, (appender, { labels, lowWord, highWord, histogram }) => {
      const outcome =
        histogram === undefined
          ? appender.append(labels, resultTimeMs, lowWord, highWord)
          : appender.appendHistogram(labels, resultTimeMs, histogram)
      if (outcome === 'accepted') {
        written.set(labels.key(), labels)
      } else if (outcome === 'refused') {
        const reason = appender.refusal()
        this.#markBad(entry, reason)
        log.warn('Rule evaluation result discarded', { group: this.name, name: entry.rule.name, err: reason, sample: labels.toString() })
      } else {
        this.#markBad(entry, dropReasons[outcome])
        dropped[outcome]++
      }
    })
    this.#logDropped(entry.rule.name, dropped)
    const vanished = [...entry.previousSeries.values()].filter((labels) => !written.has(labels.key()))
    await this.#appendInTurns(vanished, (appender, labels) => appendStale(appender, labels, resultTimeMs, log))
    entry.previousSeries = written
  }

  // A batch is filled and committed without waiting, since the storage has one writer; many results make several batches.
  async #appendInTurns<Item>(items: readonly Item[], append: (appender: SampleAppender, item: Item) => void): Promise<void> {
    for (let start = 0; start < items.length; start += resultsPerTurn) {
      if (start > 0) await yieldTurn()
      const appender = this.#options.beginAppend()
      for (const item of items.slice(start, start + resultsPerTurn)) append(appender, item)
      await appender.commit()
    }
  }

  #markBad(entry: RuleEntry, reason: string): void {
    entry.health = 'err'
    entry.lastError = reason
  }

  #logDropped(rule: string, dropped: Readonly<Record<keyof typeof dropMessages, number>>): void {
    for (const [outcome, message] of Object.entries(dropMessages)) {
      const count = dropped[outcome as keyof typeof dropMessages]
      if (count > 0) this.#options.log.warn(message, { file: this.file, group: this.name, name: rule, num_dropped: count })
    }
  }
}

const dropReasons = {
  'out-of-order': 'out of order sample',
  'too-old': 'too old sample',
  duplicate: 'duplicate sample for timestamp',
} as const

const dropMessages = {
  'out-of-order': 'Error on ingesting out-of-order result from rule evaluation',
  'too-old': 'Error on ingesting too old result from rule evaluation',
  duplicate: 'Error on ingesting results from rule evaluation with different value but same timestamp',
} as const

function newEntry(rule: Rule): RuleEntry {
  return { rule, health: 'unknown', lastError: '', evaluationDurationMs: 0, lastEvaluationMs: undefined, previousSeries: new Map() }
}

function nameAndLabels(rule: Rule): string {
  return rule.name + rule.labels.toString()
}

// Another rule may write the series from now on, then the marker comes too late or twice: not worth a word.
function appendStale(appender: SampleAppender, labels: Labels, timeMs: number, log: Logger): void {
  const outcome = appender.append(labels, timeMs, STALE_LOW, STALE_HIGH)
  if (outcome === 'refused') log.warn('Adding stale sample failed', { sample: labels.toString(), err: appender.refusal() })
}
