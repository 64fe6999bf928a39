import type { NativeHistogram } from '@narthex/model/native-histogram'
import type { Labels } from '@narthex/model/labels'
import type { AlertingRuleConfig } from '@narthex/config/rule-file'
import type { ExpandTemplate, VectorResult } from './interfaces.ts'
import type { HistogramValue } from '@narthex/template/histogram-value'
import type { Logger } from '@narthex/service/logger'
import { valueOf } from './alert-template.ts'
import { resultsPerTurn, yieldTurn } from './event-loop-turn.ts'
import { Labels as LabelSet } from '@narthex/model/labels'

/** How long a resolved alert is remembered, so that its end is sent again if the first message got lost. */
export const resolvedRetentionMs = 15 * 60_000

export type AlertState = 'inactive' | 'pending' | 'firing'

/** One alert of a rule. Absent times are `undefined`, because time 0 is a time. */
export interface ActiveAlert {
  readonly labels: Labels
  annotations: Readonly<Record<string, string>>
  /** 0 for a native histogram, as in Prometheus. */
  value: number
  state: AlertState
  activeAtMs: number
  firedAtMs: number | undefined
  resolvedAtMs: number | undefined
  lastSentAtMs: number | undefined
  validUntilMs: number | undefined
  keepFiringSinceMs: number | undefined
}

/** A sample that a rule made; the time is the group's. */
export interface RuleSample {
  readonly labels: Labels
  readonly lowWord: number
  readonly highWord: number
  /** The sample is this instead of a float. */
  readonly histogram?: NativeHistogram
}

export interface AlertingRuleOptions {
  readonly config: AlertingRuleConfig
  /** The rule's labels with those of its group; values may be templates. */
  readonly labels: Labels
  /** Names that they give an empty value: such labels of a result go. */
  readonly removed?: readonly string[]
  /** The expression as it is printed back: in the API and in the generator URL. */
  readonly query: string
  readonly externalLabels: Labels
  readonly externalUrl: string
  readonly expandTemplate: ExpandTemplate
  readonly log: Logger
  /** False while the `for` clock from before the restart is still to be read: no ALERTS series are written. */
  readonly restored: boolean
}

/** An alert's way through pending, firing and resolved; the group brings query results and time. */
export class AlertingRule {
  readonly type = 'alerting'
  readonly name: string
  readonly query: string
  readonly labels: Labels
  readonly annotations: Readonly<Record<string, string>>
  readonly forMs: number
  readonly keepFiringForMs: number
  restored: boolean
  /** By the alert's label set. */
  readonly active = new Map<string, ActiveAlert>()
  readonly #options: AlertingRuleOptions
  readonly #removed: readonly string[]

  constructor(options: AlertingRuleOptions) {
    this.#options = options
    this.name = options.config.alert
    this.query = options.query
    this.labels = options.labels
    this.#removed = options.removed ?? []
    this.annotations = options.config.annotations
    this.forMs = options.config.forMs
    this.keepFiringForMs = options.config.keepFiringForMs
    this.restored = options.restored
  }

  /**
   * Takes a query result of `timeMs` and gives the ALERTS and ALERTS_FOR_STATE samples.
   * Throws Prometheus' texts for duplicate label sets and an exceeded limit (which also forgets all alerts).
   */
  async evaluate(result: VectorResult, timeMs: number, limit: number, signal?: AbortSignal): Promise<RuleSample[]> {
    const found = await this.#expandResult(result, timeMs, signal)
    for (const [key, fresh] of found) {
      const known = this.active.get(key)
      if (known === undefined || known.state === 'inactive') {
        this.active.set(key, fresh)
        continue
      }
      known.value = fresh.value
      known.annotations = fresh.annotations
    }
    const activeAlerts = this.#advanceStates(found, timeMs)
    if (limit > 0 && activeAlerts.length > limit) {
      this.active.clear()
      throw new Error(`exceeded limit of ${limit} with ${activeAlerts.length} alerts`)
    }
    return this.restored ? this.#makeSamples(activeAlerts) : []
  }

  /** The state shown for the rule: the gravest of its alerts. */
  get state(): AlertState {
    let state: AlertState = 'inactive'
    for (const alert of this.active.values()) {
      if (alert.state === 'firing') return 'firing'
      if (alert.state === 'pending') state = 'pending'
    }
    return state
  }

  /** Pending and firing alerts, without the resolved ones that are only kept for sending. */
  activeAlerts(): ActiveAlert[] {
    return [...this.active.values()].filter((alert) => alert.state !== 'inactive')
  }

  /** Marks and returns the alerts that are due for sending; `resendDelayMs` spaces repeats. */
  takeAlertsToSend(timeMs: number, resendDelayMs: number, intervalMs: number): ActiveAlert[] {
    const due: ActiveAlert[] = []
    for (const alert of this.active.values()) {
      if (!needsSending(alert, timeMs, resendDelayMs)) continue
      alert.lastSentAtMs = timeMs
      // Two failed evaluations or sends must not end the alert at the receiver.
      alert.validUntilMs = timeMs + 4 * Math.max(intervalMs, resendDelayMs)
      due.push({ ...alert })
    }
    return due
  }

  /** The labels under which ALERTS_FOR_STATE of this alert is stored. */
  forStateLabels(alert: ActiveAlert): Labels {
    return alert.labels.with('__name__', 'ALERTS_FOR_STATE').with('alertname', this.name)
  }

  /** Equal strings mean that a reload changed nothing in this rule. */
  identity(): string {
    return JSON.stringify([
      'alert',
      this.name,
      this.query,
      this.forMs,
      this.keepFiringForMs,
      this.labels.pairs,
      this.#removed,
      this.annotations,
    ])
  }

  async #expandResult(result: VectorResult, timeMs: number, signal: AbortSignal | undefined): Promise<Map<string, ActiveAlert>> {
    const found = new Map<string, ActiveAlert>()
    const count = result.scalar === undefined ? result.labels.length : 1
    for (let i = 0; i < count; i++) {
      if (i > 0 && i % resultsPerTurn === 0) await yieldTurn()
      const metric = result.labels[i] ?? LabelSet.empty
      const value = result.scalar ?? result.values[i]!
      const data = { ...this.#templateData(metric, result.scalar ?? valueOf(result, i)), timeMs }
      const expand = async (text: string): Promise<string> => {
        if (!text.includes('{{')) return text
        try {
          return await this.#options.expandTemplate(`__alert_${this.name}`, text, data, signal)
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error)
          this.#options.log.warn('Expanding alert template failed', { alert: this.name, err: reason, labels: metric.toString() })
          return `<error expanding template: ${reason}>`
        }
      }
      const ruleLabels = await expandAll(Object.entries(this.labels.toRecord()), expand)
      const annotations = Object.fromEntries(await expandAll(Object.entries(this.annotations), expand))
      const labels = LabelSet.fromPairs([
        ...metric.without('__name__', ...this.#removed).pairs,
        ...ruleLabels.flat(),
        'alertname',
        this.name,
      ])
      if (found.has(labels.key())) throw new Error('vector contains metrics with the same labelset after applying alert labels')
      found.set(labels.key(), newAlert(labels, annotations, value, timeMs))
    }
    return found
  }

  #templateData(metric: Labels, value: number | HistogramValue) {
    const { externalLabels, externalUrl } = this.#options
    return { labels: metric, value, externalLabels, externalUrl }
  }

  #advanceStates(found: ReadonlyMap<string, ActiveAlert>, timeMs: number): ActiveAlert[] {
    const activeAlerts: ActiveAlert[] = []
    for (const [key, alert] of this.active) {
      if (found.has(key)) {
        alert.keepFiringSinceMs = undefined
      } else if (!this.#keepsFiring(alert, timeMs)) {
        this.#retireAlert(key, alert, timeMs)
        continue
      }
      activeAlerts.push(alert)
      const held = timeMs - alert.activeAtMs >= this.forMs
      if (alert.state === 'pending' && held) {
        alert.state = 'firing'
        alert.firedAtMs = timeMs
      } else if (alert.state === 'firing' && !held) {
        // Only a reload that raised `for` leads here.
        alert.state = 'pending'
        alert.firedAtMs = undefined
      }
    }
    return activeAlerts
  }

  #keepsFiring(alert: ActiveAlert, timeMs: number): boolean {
    if (alert.state !== 'firing' || this.keepFiringForMs === 0) return false
    alert.keepFiringSinceMs ??= timeMs
    return timeMs - alert.keepFiringSinceMs < this.keepFiringForMs
  }

  #retireAlert(key: string, alert: ActiveAlert, timeMs: number): void {
    const forgotten = alert.resolvedAtMs !== undefined && timeMs - alert.resolvedAtMs > resolvedRetentionMs
    if (alert.state === 'pending' || forgotten) this.active.delete(key)
    if (alert.state === 'inactive') return
    alert.state = 'inactive'
    alert.resolvedAtMs = timeMs
  }

  #makeSamples(alerts: readonly ActiveAlert[]): RuleSample[] {
    const samples: RuleSample[] = []
    const number = new Float64Array(1)
    const words = new Uint32Array(number.buffer)
    for (const alert of alerts) {
      number[0] = 1
      const labels = alert.labels.with('__name__', 'ALERTS').with('alertname', this.name).with('alertstate', alert.state)
      samples.push({ labels, lowWord: words[0]!, highWord: words[1]! })
      number[0] = Math.floor(alert.activeAtMs / 1000)
      samples.push({ labels: this.forStateLabels(alert), lowWord: words[0]!, highWord: words[1]! })
    }
    return samples
  }
}

function newAlert(labels: Labels, annotations: Readonly<Record<string, string>>, value: number, timeMs: number): ActiveAlert {
  return {
    labels,
    annotations,
    value,
    state: 'pending',
    activeAtMs: timeMs,
    firedAtMs: undefined,
    resolvedAtMs: undefined,
    lastSentAtMs: undefined,
    validUntilMs: undefined,
    keepFiringSinceMs: undefined,
  }
}

function needsSending(alert: ActiveAlert, timeMs: number, resendDelayMs: number): boolean {
  if (alert.state === 'pending') return false
  if (alert.lastSentAtMs === undefined) return true
  if (alert.resolvedAtMs !== undefined && alert.resolvedAtMs > alert.lastSentAtMs) return true
  return alert.lastSentAtMs + resendDelayMs < timeMs
}

type NamedText = readonly [name: string, text: string]

async function expandAll(templates: readonly NamedText[], expand: (text: string) => Promise<string>): Promise<NamedText[]> {
  const expanded: NamedText[] = []
  for (const [name, text] of templates) expanded.push([name, await expand(text)])
  return expanded
}
