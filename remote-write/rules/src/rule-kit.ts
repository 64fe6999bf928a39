import type { NativeHistogram } from '@narthex/model/native-histogram'
import type { AlertPayload, AlertSender, BeginAppend, LastSample, QueryFunction, VectorResult } from './interfaces.ts'
import type { AlertingRuleConfig, RecordingRuleConfig, RuleGroupConfig } from '@narthex/config/rule-file'
import { isStaleWords } from '@narthex/model/stale'
import { Labels } from '@narthex/model/labels'

/** For tests: rules and groups with everything else at its default. */
export function makeAlertingRule(
  rule: Partial<AlertingRuleConfig> & { readonly alert: string; readonly expr: string },
): AlertingRuleConfig {
  return { kind: 'alerting', forMs: 0, keepFiringForMs: 0, labels: {}, annotations: {}, line: 1, ...rule }
}

export function makeRecordingRule(record: string, expr: string): RecordingRuleConfig {
  return { kind: 'recording', record, expr, labels: {}, line: 1 }
}

export function makeGroup(group: Partial<RuleGroupConfig> & { readonly name: string }): RuleGroupConfig {
  return { file: 'r.yml', limit: 0, labels: {}, rules: [], ...group }
}

export type ResultRow = readonly [Record<string, string>, number | NativeHistogram]

/** For tests: answers queries from a table that the test changes as time goes on, and keeps what rules write. */
export class FakeStorage {
  /** Expression → result rows; an Error is thrown. */
  readonly results = new Map<string, readonly ResultRow[] | Error>()
  /** `metric@time value`, stale markers as `stale`, in the order of writing. */
  readonly written: string[] = []
  readonly queries: string[] = []
  readonly lastSamples: LastSample[] = []
  readonly sent: AlertPayload[] = []
  commits = 0
  /** Batches committed before each query. */
  readonly commitsAtQuery: number[] = []
  refuseWith: string | undefined

  readonly query: QueryFunction = (expression, timeMs) => {
    this.queries.push(`${expression}@${timeMs}`)
    this.commitsAtQuery.push(this.commits)
    const rows = this.results.get(expression) ?? []
    return rows instanceof Error ? Promise.reject(rows) : Promise.resolve(makeVector(rows))
  }

  readonly beginAppend: BeginAppend = () => ({
    append: (labels, timeMs, lowWord, highWord) => {
      if (this.refuseWith !== undefined) return 'refused'
      const value = isStaleWords(lowWord, highWord) ? 'stale' : new Float64Array(Uint32Array.of(lowWord, highWord).buffer)[0]
      this.written.push(`${labels.metricString()}@${timeMs} ${value}`)
      return 'accepted'
    },
    appendHistogram: (labels, timeMs, { count, sum }) => {
      if (this.refuseWith !== undefined) return 'refused'
      this.written.push(`${labels.metricString()}@${timeMs} {count:${count}, sum:${sum}}`)
      return 'accepted'
    },
    refusal: () => this.refuseWith ?? '',
    commit: () => {
      this.commits++
    },
  })

  readonly selectLastSamples = (): Promise<readonly LastSample[]> => Promise.resolve(this.lastSamples)

  readonly sender: AlertSender = { send: (alerts) => void this.sent.push(...alerts) }

  takeWritten(): string[] {
    return this.written.splice(0)
  }

  takeSent(): AlertPayload[] {
    return this.sent.splice(0)
  }
}

export function makeVector(rows: readonly ResultRow[]): VectorResult {
  return {
    labels: rows.map(([labels]) => Labels.from(labels)),
    values: Float64Array.from(rows, ([, value]) => (typeof value === 'number' ? value : 0)),
    histograms: rows.map(([, value]) => (typeof value === 'number' ? undefined : value)),
    warnings: [],
  }
}
