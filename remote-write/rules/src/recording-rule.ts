import type { Labels } from '@narthex/model/labels'
import type { RecordingRuleConfig } from '@narthex/config/rule-file'
import type { RuleSample } from './alerting-rule.ts'
import type { VectorResult } from './interfaces.ts'
import { resultsPerTurn, yieldTurn } from './event-loop-turn.ts'
import { Labels as LabelSet } from '@narthex/model/labels'

/** Stores a query's result under a name of its own. */
export class RecordingRule {
  readonly type = 'recording'
  readonly name: string
  readonly query: string
  readonly labels: Labels
  readonly #removed: readonly string[]

  /**
   * `labels` are the rule's with those of its group, `removed` the names that they give an empty value; `query` is the expression as it is printed back.
   */
  constructor(config: RecordingRuleConfig, labels: Labels, query: string, removed: readonly string[] = []) {
    this.name = config.record
    this.query = query
    this.labels = labels
    this.#removed = removed
  }

  /** The rule's name and labels overwrite the result's. Throws Prometheus' texts for duplicate label sets and an exceeded limit. */
  async evaluate(result: VectorResult, limit: number): Promise<RuleSample[]> {
    const { values, histograms, scalar } = result
    const series = scalar === undefined ? result.labels : [LabelSet.empty]
    const words = scalar === undefined ? new Uint32Array(values.buffer, values.byteOffset) : new Uint32Array(Float64Array.of(scalar).buffer)
    const samples: RuleSample[] = []
    const keys = new Set<string>()
    for (let i = 0; i < series.length; i++) {
      if (i > 0 && i % resultsPerTurn === 0) await yieldTurn()
      const labels = this.#nameResult(series[i]!)
      if (keys.has(labels.key())) throw new Error('vector contains metrics with the same labelset after applying rule labels')
      keys.add(labels.key())
      const histogram = histograms?.[i]
      const sample = { labels, lowWord: words[2 * i]!, highWord: words[2 * i + 1]! }
      samples.push(histogram === undefined ? sample : { ...sample, histogram })
    }
    if (limit > 0 && samples.length > limit) throw new Error(`exceeded limit of ${limit} with ${samples.length} series`)
    return samples
  }

  /** Equal strings mean that a reload changed nothing in this rule. */
  identity(): string {
    return JSON.stringify(['record', this.name, this.query, this.labels.pairs, this.#removed])
  }

  #nameResult(metric: Labels): Labels {
    return LabelSet.from({ ...metric.without(...this.#removed).toRecord(), ...this.labels.toRecord(), __name__: this.name })
  }
}
