import type { Counter, CounterCell, Gauge, Registry, Summary } from '@narthex/service/metrics'

const quantiles = [0.5, 0.9, 0.99]
const groupQuantiles = [0.01, 0.05, 0.5, 0.9, 0.99]
const groupLabel = ['rule_group']

/** Prometheus' own metrics about rules; `rule_group` is `file;name`. */
export interface RuleMetrics {
  readonly evaluationDuration: Summary
  readonly evaluations: Counter
  readonly evaluationFailures: Counter
  readonly groupDuration: Summary
  readonly iterations: Counter
  readonly iterationsMissed: Counter
  readonly interval: Gauge
  readonly lastDuration: Gauge
  readonly lastRestoreDuration: Gauge
  readonly lastSamples: Gauge
  readonly lastEvaluationTime: Gauge
  readonly rules: Gauge
  readonly templateExpansions: CounterCell
  readonly templateFailures: CounterCell
}

export function createRuleMetrics(registry: Registry): RuleMetrics {
  return {
    templateExpansions: registry
      .counter('prometheus_template_text_expansions_total', 'The total number of template text expansions.')
      .labels(),
    templateFailures: registry
      .counter('prometheus_template_text_expansion_failures_total', 'The total number of template text expansion failures.')
      .labels(),
    evaluationDuration: registry.summary(
      'prometheus_rule_evaluation_duration_seconds',
      'How long one rule takes to evaluate.',
      [],
      quantiles,
    ),
    evaluations: registry.counter('prometheus_rule_evaluations_total', 'Rule evaluations.', groupLabel),
    evaluationFailures: registry.counter('prometheus_rule_evaluation_failures_total', 'Rule evaluations that failed.', groupLabel),
    groupDuration: registry.summary('prometheus_rule_group_duration_seconds', 'How long a rule group takes.', [], groupQuantiles),
    iterations: registry.counter('prometheus_rule_group_iterations_total', 'Scheduled evaluations of a group, run or missed.', groupLabel),
    iterationsMissed: registry.counter(
      'prometheus_rule_group_iterations_missed_total',
      'Evaluations of a group missed because the one before took too long.',
      groupLabel,
    ),
    interval: registry.gauge('prometheus_rule_group_interval_seconds', 'Interval of a group.', groupLabel),
    lastDuration: registry.gauge('prometheus_rule_group_last_duration_seconds', 'Duration of the last evaluation.', groupLabel),
    lastRestoreDuration: registry.gauge(
      'prometheus_rule_group_last_restore_duration_seconds',
      'Duration of the last restore of alert state.',
      groupLabel,
    ),
    lastSamples: registry.gauge('prometheus_rule_group_last_evaluation_samples', 'Samples of the last evaluation.', groupLabel),
    lastEvaluationTime: registry.gauge(
      'prometheus_rule_group_last_evaluation_timestamp_seconds',
      'When the last evaluation ran, in seconds since the epoch.',
      groupLabel,
    ),
    rules: registry.gauge('prometheus_rule_group_rules', 'Rules of a group.', groupLabel),
  }
}

/** Shows a group's counters at zero before its first evaluation, as alerts on `rate()` of them need. */
export function showGroupMetrics(metrics: RuleMetrics, groupKey: string): void {
  for (const metric of [metrics.evaluations, metrics.evaluationFailures, metrics.iterations, metrics.iterationsMissed]) {
    metric.labels(groupKey)
  }
}

/** Takes a removed group out of the output. */
export function forgetGroupMetrics(metrics: RuleMetrics, groupKey: string): void {
  const { evaluations, evaluationFailures, iterations, iterationsMissed } = metrics
  const { interval, lastDuration, lastRestoreDuration, lastSamples, lastEvaluationTime, rules } = metrics
  const counters = [evaluations, evaluationFailures, iterations, iterationsMissed]
  const gauges = [interval, lastDuration, lastRestoreDuration, lastSamples, lastEvaluationTime, rules]
  for (const metric of [...counters, ...gauges]) metric.remove(groupKey)
}
