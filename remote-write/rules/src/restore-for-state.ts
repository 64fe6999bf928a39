import type { ActiveAlert, AlertingRule } from './alerting-rule.ts'
import type { Logger } from '@narthex/service/logger'
import type { LastSample, SelectLastSamples } from './interfaces.ts'
import { Matcher } from '@narthex/model/matcher'
import { isStaleWords } from '@narthex/model/stale'

export interface RestoreOptions {
  readonly selectLastSamples: SelectLastSamples
  /** How far back state is looked for (`--rules.alert.for-outage-tolerance`). */
  readonly outageToleranceMs: number
  /** Least time between restart and firing of a restored pending alert (`--rules.alert.for-grace-period`). */
  readonly gracePeriodMs: number
  readonly log: Logger
}

/**
 * Gives the pending alerts of these rules the `for` clock that they had before the restart, from ALERTS_FOR_STATE.
 * Rules whose `for` is shorter than the grace period start anew. A failed look-up is logged and leaves that rule's clock as it is.
 */
export async function restoreForState(rules: readonly AlertingRule[], nowMs: number, options: RestoreOptions): Promise<void> {
  for (const rule of rules) {
    if (rule.restored) continue
    if (rule.forMs >= options.gracePeriodMs && rule.active.size > 0) await restoreRule(rule, nowMs, options)
    rule.restored = true
  }
}

async function restoreRule(rule: AlertingRule, nowMs: number, options: RestoreOptions): Promise<void> {
  const matchers = [new Matcher('=', '__name__', 'ALERTS_FOR_STATE'), new Matcher('=', 'alertname', rule.name)]
  let samples: readonly LastSample[]
  try {
    samples = await options.selectLastSamples(matchers, nowMs - options.outageToleranceMs, nowMs)
  } catch (error) {
    options.log.error("Failed to restore 'for' state", { alert: rule.name, err: error, stage: 'Select' })
    return
  }
  const byLabels = new Map(samples.map((sample) => [sample.labels.key(), sample]))
  for (const alert of rule.active.values()) {
    const sample = byLabels.get(rule.forStateLabels(alert).key())
    if (sample !== undefined && !isStaleWords(sample.lowWord, sample.highWord)) restoreAlert(rule, alert, sample, nowMs, options)
  }
}

function restoreAlert(rule: AlertingRule, alert: ActiveAlert, sample: LastSample, nowMs: number, options: RestoreOptions): void {
  const words = Uint32Array.of(sample.lowWord, sample.highWord)
  const storedActiveAtMs = new Float64Array(words.buffer)[0]! * 1000
  const downAtMs = sample.timeMs
  const remainingMs = rule.forMs - (downAtMs - storedActiveAtMs)
  alert.activeAtMs = chooseActiveAt(storedActiveAtMs, remainingMs, downAtMs, rule.forMs, nowMs, options.gracePeriodMs)
  options.log.debug("'for' state restored", {
    restored_time: new Date(alert.activeAtMs).toISOString(),
    labels: alert.labels.toString(),
  })
}

function chooseActiveAt(storedMs: number, remainingMs: number, downAtMs: number, forMs: number, nowMs: number, graceMs: number): number {
  // It was firing when we went down: it fires again at the next evaluation if the condition still holds.
  if (remainingMs <= 0) return storedMs
  // Firing is due soon: not before the grace period, in which scrapes and dependent rules catch up.
  if (remainingMs < graceMs) return nowMs + graceMs - forMs
  // The time of the outage does not count as time spent pending.
  return storedMs + (nowMs - downAtMs)
}
