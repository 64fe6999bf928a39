import type { AnsweredHistogram, Answer, AnsweredSeries, Refusal } from './answer.ts'

export interface CompareOptions {
  /** Values may differ by this share of the greater one. */
  readonly relativeTolerance: number
  /** And by this much. */
  readonly absoluteTolerance: number
  /** Differences that are told of one query. */
  readonly toldMax: number
}

/** A line for each series or value that differs, and one that counts the rest; none if the answers are the same. */
export function compareAnswers(wanted: Answer | Refusal, got: Answer | Refusal, options: CompareOptions): string[] {
  if ('error' in wanted || 'error' in got) {
    // Texts may differ; that both refuse is the same.
    return 'error' in wanted && 'error' in got ? [] : [`want ${describeAnswer(wanted)}, got ${describeAnswer(got)}`]
  }
  const told: string[] = []
  let count = 0
  const tell = (line: string): void => {
    if (count++ < options.toldMax) told.push(line)
  }
  for (const [key, series] of wanted.series) {
    const own = got.series.get(key)
    if (own === undefined) tell(`${describeSeries(series)}: want ${countValues(series)}, got no such series`)
    else compareSeries(series, own, options, tell)
  }
  for (const [key, series] of got.series) {
    if (!wanted.series.has(key)) tell(`${describeSeries(series)}: want no such series, got ${countValues(series)}`)
  }
  return count > told.length ? [...told, `${count - told.length} more differences`] : told
}

function compareSeries(wanted: AnsweredSeries, got: AnsweredSeries, options: CompareOptions, tell: (line: string) => void): void {
  const name = describeSeries(wanted)
  for (const [time, value] of wanted.values) {
    const own = got.values.get(time)
    if (own === undefined || !areSame(value, own, options)) {
      tell(`${name} at ${describeTime(time)}: want ${describeValue(value)}, got ${describeValue(own)}`)
    }
  }
  for (const [time, value] of got.values) {
    if (!wanted.values.has(time)) tell(`${name} at ${describeTime(time)}: want no value, got ${describeValue(value)}`)
  }
}

function areSame(a: number | AnsweredHistogram, b: number | AnsweredHistogram, options: CompareOptions): boolean {
  if (typeof a === 'number' || typeof b === 'number') return typeof a === 'number' && typeof b === 'number' && isClose(a, b, options)
  if (!isClose(a.count, b.count, options) || !isClose(a.sum, b.sum, options) || a.buckets.size !== b.buckets.size) return false
  return [...a.buckets].every(([bounds, count]) => isClose(count, b.buckets.get(bounds) ?? NaN, options))
}

/** Whether two values pass for the same; NaN and NaN do. */
export function isClose(a: number, b: number, { relativeTolerance, absoluteTolerance }: CompareOptions): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true
  if (!Number.isFinite(a) || !Number.isFinite(b)) return false
  return Math.abs(a - b) <= relativeTolerance * Math.max(Math.abs(a), Math.abs(b)) + absoluteTolerance
}

function describeAnswer(answer: Answer | Refusal): string {
  return 'error' in answer ? `the error ${JSON.stringify(answer.error)}` : `${answer.series.size} series`
}

function describeSeries({ labels }: AnsweredSeries): string {
  return labels.metricString()
}

function countValues({ values }: AnsweredSeries): string {
  return `${values.size} ${values.size === 1 ? 'value' : 'values'}`
}

function describeTime(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms)
}

function describeValue(value: number | AnsweredHistogram | undefined): string {
  if (value === undefined) return 'no value'
  if (typeof value === 'number') return String(value)
  return `a histogram of count ${value.count}, sum ${value.sum}, ${value.buckets.size} buckets`
}
