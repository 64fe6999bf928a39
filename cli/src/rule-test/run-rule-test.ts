import type { RuleGroupConfig } from '@narthex/config/rule-file'
import type { RuleTest } from '@narthex/config/rule-test-file'
import { evaluateInstant, type EngineOptions } from '@narthex/promql/engine'
import { nativeOfHistogram } from '@narthex/promql/histogram/native-of-histogram'
import { MemoryStorage } from '@narthex/promql/testing/memory-storage'
import type { QueryFunction } from '@narthex/rules/interfaces'
import type { RuleGroup } from '@narthex/rules/rule-group'
import { RuleManager } from '@narthex/rules/rule-manager'
import { systemClock } from '@narthex/service/clock'
import type { Logger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { formatDuration } from '@narthex/model/duration'
import { checkAlerts, checkExpression, type CheckOptions } from './check-expectations.ts'
import { describeStorage } from './describe-storage.ts'
import { appendUntil, loadSeries, type LoadedSeries } from './test-series.ts'

export interface RuleTestOptions extends CheckOptions {
  readonly groups: readonly RuleGroupConfig[]
  readonly evaluationIntervalMs: number
  /** Place of a group among others, by its name; those without one come first. */
  readonly groupOrder: ReadonlyMap<string, number>
  readonly engine: EngineOptions
  /** Gets the name of each test, all its samples and how long it took. */
  readonly debug?: (text: string) => void
}

// promtool's.
const samplesMax = 10_000

/**
 * Runs one test as promtool does: from the start on, every evaluation interval, the samples up to then are there, all groups are evaluated, and
 * alerts whose time has come are compared; expressions are compared at the end. Gives what went wrong, in promtool's texts.
 */
export async function runRuleTest(test: RuleTest, options: RuleTestOptions): Promise<string[]> {
  const { evaluationIntervalMs } = options
  const unnamed = test.alertTests.find(({ alertname }) => alertname === '')
  if (unnamed !== undefined) {
    const where = test.name === '' ? '' : ` (in TestGroup ${test.name})`
    const time = formatDuration(unnamed.evalTimeMs)
    return [`an item under alert_rule_test misses required attribute alertname at eval_time ${time}${where}`]
  }
  let loaded: LoadedSeries[]
  try {
    loaded = loadSeries(test.series)
  } catch (error) {
    return [messageOf(error)]
  }
  const storage = new MemoryStorage()
  const engine: EngineOptions = { ...options.engine, samplesMax, subqueryStepMs: evaluationIntervalMs }
  const groups = await buildGroups(test, options, storage, engine)
  const stepMs = test.intervalMs || evaluationIntervalMs
  const failures: string[] = []
  const times = [...test.alertTests, ...test.expressionTests].map(({ evalTimeMs }) => evalTimeMs)
  const lastMs = Math.max(0, ...times)
  for (let atMs = 0; atMs <= lastMs; atMs += evaluationIntervalMs) {
    for (const series of loaded) appendUntil(series, storage, test.startMs, stepMs, atMs)
    const broken = await evaluateGroups(groups, test.startMs, atMs)
    if (broken.length > 0) return [...failures, ...broken]
    const due = test.alertTests.filter(({ evalTimeMs }) => atMs <= evalTimeMs && evalTimeMs < atMs + evaluationIntervalMs)
    for (const expected of due.toSorted((a, b) => a.evalTimeMs - b.evalTimeMs)) {
      failures.push(...checkAlerts(expected, groups, test.name, options))
    }
  }
  for (const expected of test.expressionTests) {
    failures.push(...checkExpression(expected, () => evaluate(engine, storage, expected.expr, test.startMs + expected.evalTimeMs), options))
  }
  options.debug?.(
    `Dump of all data (input_series and rules) at ${formatGoDuration(lastMs)}:\n${describeStorage(storage, test.startMs + lastMs)}`,
  )
  return failures
}

function evaluate(engine: EngineOptions, storage: MemoryStorage, expression: string, timeMs: number) {
  const result = evaluateInstant(engine, storage, expression, timeMs)
  if (result.type !== 'vector' && result.type !== 'scalar') throw new Error('rule result is not a vector or scalar')
  return result
}

async function buildGroups(test: RuleTest, options: RuleTestOptions, storage: MemoryStorage, engine: EngineOptions): Promise<RuleGroup[]> {
  const query: QueryFunction = (expression, timeMs) => {
    const { type, series, warnings } = evaluate(engine, storage, expression, timeMs)
    const { labels, values } = series
    if (type === 'scalar') return Promise.resolve({ labels: [], values, scalar: values[0]!, warnings })
    const histograms = series.histograms?.map((histogram) => histogram && nativeOfHistogram(histogram))
    return Promise.resolve({ labels, values, ...(histograms && { histograms }), warnings })
  }
  const manager = new RuleManager({
    query,
    beginAppend: () => ({
      append: (labels, timeMs, lowWord, highWord) => storage.series(labels).append(timeMs, lowWord, highWord),
      appendHistogram: (labels, timeMs, histogram) => storage.series(labels).appendNative(timeMs, histogram),
      refusal: () => '',
      commit: () => {},
    }),
    selectLastSamples: () => Promise.resolve([]),
    sender: { send: () => {} },
    ...(engine.parse === undefined ? {} : { parseOptions: engine.parse }),
    clock: systemClock,
    log: silentLogger,
    registry: new Registry(),
  })
  await manager.update({
    groups: options.groups,
    evaluationIntervalMs: test.intervalMs || options.evaluationIntervalMs,
    queryOffsetMs: 0,
    externalLabels: test.externalLabels,
    externalUrl: test.externalUrl,
  })
  const groups = manager.groups()
  // There is no time before the test from which the clocks of alerts would have to be restored.
  for (const group of groups) for (const rule of group.alertingRules()) rule.restored = true
  const placeOf = ({ name }: RuleGroup) => options.groupOrder.get(name) ?? 0
  return groups.sort((a, b) => placeOf(a) - placeOf(b))
}

async function evaluateGroups(groups: readonly RuleGroup[], startMs: number, atMs: number): Promise<string[]> {
  const broken: string[] = []
  for (const group of groups) {
    await group.evaluate(startMs + atMs)
    for (const { rule, lastError } of group.entries) {
      if (lastError !== '') broken.push(`    rule: ${rule.name}, time: ${formatGoDuration(atMs)}, err: ${lastError}`)
    }
  }
  return broken
}

/** Go's `time.Duration.String()` of whole milliseconds from a second on: `1h0m5s`, `1.5s`. */
function formatGoDuration(ms: number): string {
  if (ms === 0) return '0s'
  if (ms < 1000) return `${ms}ms`
  const hours = Math.floor(ms / 3_600_000)
  const minutes = Math.floor((ms % 3_600_000) / 60_000)
  return `${hours > 0 ? `${hours}h` : ''}${ms >= 60_000 ? `${minutes}m` : ''}${(ms % 60_000) / 1000}s`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {}, with: () => silentLogger }
