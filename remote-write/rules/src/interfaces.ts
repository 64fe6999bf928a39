import type { Labels } from '@narthex/model/labels'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import type { HistogramValue } from '@narthex/template/histogram-value'
import type { Matcher } from '@narthex/model/matcher'

/** An instant query's answer. A scalar result has `scalar` set and no labels; values are 64-bit words as the engine made them. */
export interface VectorResult {
  readonly labels: readonly Labels[]
  readonly values: Float64Array
  /** Results that are native histograms, by their place; 0 stands in `values`. undefined: there are none. */
  readonly histograms?: readonly (NativeHistogram | undefined)[]
  readonly scalar?: number
  readonly warnings: readonly string[]
}

/**
 * Runs an instant query in the query worker; `group` is whose rule asks. Rejects with the engine's error text; an aborted signal rejects with an
 * AbortError.
 */
export type QueryFunction = (
  expression: string,
  timeMs: number,
  signal?: AbortSignal,
  group?: { readonly file: string; readonly name: string },
) => Promise<VectorResult>

/**
 * What the head said to one sample. `refused` and every unknown failure carry their reason in `SampleAppender.refusal()`.
 * `duplicate` is another value for the same series and time.
 */
export type AppendOutcome = 'accepted' | 'out-of-order' | 'too-old' | 'duplicate' | 'refused'

/** One batch of results. Values arrive as two 32-bit words because a stale marker does not survive as a number. */
export interface SampleAppender {
  append(labels: Labels, timeMs: number, lowWord: number, highWord: number): AppendOutcome
  appendHistogram(labels: Labels, timeMs: number, histogram: NativeHistogram): AppendOutcome
  /** Reason of the last `refused`. */
  refusal(): string
  /** After it returns (or resolves) the next query sees the samples. Throws when the log cannot be written. */
  commit(): void | Promise<void>
}

/** Begins a batch; the caller commits it before anyone else begins one, so it may be synchronous underneath. */
export type BeginAppend = () => SampleAppender

/** Newest sample of one series in a window; stale when its words are the stale marker. */
export interface LastSample {
  readonly labels: Labels
  readonly timeMs: number
  readonly lowWord: number
  readonly highWord: number
}

/** Newest sample of each matching series with minTimeMs ≤ time ≤ maxTimeMs: restores the `for` clock after a restart. */
export type SelectLastSamples = (matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number) => Promise<readonly LastSample[]>

/** An alert as `POST /api/v2/alerts` takes it: times in RFC 3339, `endsAt` in the future while it fires. */
export interface AlertPayload {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly startsAt: string
  readonly endsAt: string
  readonly generatorURL: string
}

/** Takes alerts for delivery and returns at once; it must not throw. */
export interface AlertSender {
  send(alerts: readonly AlertPayload[]): void
}

/** Data for one expansion of a label or annotation template. */
export interface AlertTemplateData {
  readonly labels: Labels
  readonly value: number | HistogramValue
  readonly externalLabels: Labels
  readonly externalUrl: string
  readonly timeMs: number
}

/** Expands one template text; rejects with the template engine's error. */
export type ExpandTemplate = (name: string, text: string, data: AlertTemplateData, signal?: AbortSignal) => Promise<string>
