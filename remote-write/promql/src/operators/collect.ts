import { Labels } from '@narthex/model/labels'
import type { FloatHistogram } from '../histogram/float-histogram.ts'
import type { Plan, StepGrid } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import type { ResultSeries } from '../query-result.ts'
import { buildVector } from './build.ts'
import { buildSource } from './build-range-call.ts'
import { MergeLabelsOperator } from './merge-labels.ts'
import { RemoveMarkedNamesOperator } from './names.ts'
import type { SampleSeries, VectorOperator } from './operator.ts'
import { countPresent, histogramBytes } from './operator.ts'
import { extendSamples } from './extended-samples.ts'
import { evaluateScalar } from './scalar-values.ts'
import { shiftedBounds } from './vector-selector.ts'

/** Growing columns of a result, counted against the query's budget. */
class ResultColumns {
  readonly #context: QueryContext
  readonly labels: Labels[] = []
  readonly ends: number[] = []
  times: Float64Array<ArrayBuffer> = new Float64Array(256)
  values: Float64Array<ArrayBuffer> = new Float64Array(256)
  histograms: (FloatHistogram | undefined)[] | undefined
  length = 0

  constructor(context: QueryContext) {
    this.#context = context
    const { resultBuffers } = context
    if (resultBuffers !== undefined) ({ times: this.times, values: this.values } = resultBuffers)
  }

  reserve(samples: number): void {
    this.#context.hold(samples, samples * 16)
    const needed = this.length + samples
    if (needed <= this.times.length) return
    const capacity = Math.max(needed, this.times.length * 2)
    const times = new Float64Array(capacity)
    const values = new Float64Array(capacity)
    times.set(this.times.subarray(0, this.length))
    values.set(this.values.subarray(0, this.length))
    this.times = times
    this.values = values
  }

  /** Within what was reserved. */
  pushFloat(timeMs: number, value: number): void {
    this.times[this.length] = timeMs
    this.values[this.length++] = value
  }

  /** Within what was reserved. */
  pushHistogram(timeMs: number, histogram: FloatHistogram): void {
    this.#context.hold(histogram.sampleCount - 1, histogramBytes(histogram))
    this.histograms ??= []
    this.histograms[this.length] = histogram
    this.values[this.length] = 0
    this.times[this.length++] = timeMs
  }

  endSeries(labels: Labels): void {
    this.#context.hold(0, labelsBytes(labels))
    this.labels.push(labels)
    this.ends.push(this.length)
  }

  /** Series in the given order of their numbers. */
  finish(order?: readonly number[]): ResultSeries {
    this.#context.resultBuffers?.keep(this.times, this.values)
    const count = this.labels.length
    const offsets = new Uint32Array(count + 1)
    if (order === undefined) {
      offsets.set(this.ends, 1)
      const [times, values] = [this.times.subarray(0, this.length), this.values.subarray(0, this.length)]
      return { labels: this.labels, offsets, times, values, histograms: this.histograms }
    }
    const times = new Float64Array(this.length)
    const values = new Float64Array(this.length)
    const histograms: (FloatHistogram | undefined)[] | undefined = this.histograms === undefined ? undefined : []
    let at = 0
    for (let i = 0; i < count; i++) {
      const from = order[i]! === 0 ? 0 : this.ends[order[i]! - 1]!
      const to = this.ends[order[i]!]!
      times.set(this.times.subarray(from, to), at)
      values.set(this.values.subarray(from, to), at)
      if (histograms !== undefined) for (let j = from; j < to; j++) histograms[at + j - from] = this.histograms![j]
      at += to - from
      offsets[i + 1] = at
    }
    return { labels: order.map((i) => this.labels[i]!), offsets, times, values, histograms }
  }
}

/** What a label set of a result takes about: its object and array; the texts are mostly kept anyway. */
function labelsBytes({ pairs }: Labels): number {
  return 96 + 16 * pairs.length
}

/** Runs an instant vector's operators to the end; with `sorted`, series come out in the order of their labels. */
export function collectResult(context: QueryContext, root: VectorOperator, grid: StepGrid, sorted: boolean): ResultSeries {
  const input = context.delayedNameRemoval ? new MergeLabelsOperator(context, new RemoveMarkedNamesOperator(context, root)) : root
  const columns = new ResultColumns(context)
  for (let series = input.next(); series !== undefined; series = input.next()) {
    const { values, present, labels, histograms } = series
    columns.reserve(countPresent(present))
    for (let i = 0; i < values.length; i++) {
      if (present[i] === 0) continue
      const timeMs = grid.startMs + i * grid.stepMs
      const histogram = histograms?.[i]
      if (histogram === undefined) columns.pushFloat(timeMs, values[i]!)
      else columns.pushHistogram(timeMs, histogram)
    }
    columns.endSeries(labels)
  }
  return columns.finish(sorted ? sortedOrder(columns.labels) : undefined)
}

/** The samples of a range vector at one instant. */
export function collectSamples(context: QueryContext, plan: Plan, grid: StepGrid): ResultSeries {
  const source = buildSource(context, plan, grid, {
    vector: (inner, innerGrid) => buildVector(context, inner, { ...innerGrid, counting: 'last' }),
    scalar: (inner, innerGrid) => evaluateScalar(context, inner, innerGrid, buildVector),
  })
  const columns = new ResultColumns(context)
  if (plan.kind !== 'window' && plan.kind !== 'subquery') return columns.finish()
  const { firstMs: endMs } = shiftedBounds(grid, plan.kind === 'window' ? plan.selector.shift : plan.shift)
  for (let series = source.next(); series !== undefined; series = source.next()) {
    if (plan.kind === 'window' && plan.mode !== 'plain') {
      const { times, values } = extendSamples(series, plan, endMs, context.lookbackMs)
      if (times.length === 0) continue
      columns.reserve(times.length)
      times.forEach((timeMs, i) => columns.pushFloat(timeMs, values[i]!))
      context.countSamples(grid, times.length, () => times.length)
      columns.endSeries(series.labels)
      continue
    }
    const samples = putSamples(series, endMs - plan.rangeMs, endMs, columns)
    if (plan.kind === 'window') context.countSamples(grid, samples, () => samples)
    const { labels } = series
    columns.endSeries(series.dropName ? labels.without(...context.droppedLabels) : labels)
  }
  return columns.finish(sortedOrder(columns.labels))
}

/** Floats and histograms of (startMs, endMs] in the order of time. Returns as how many samples they count. */
function putSamples({ times, values, length, histograms }: SampleSeries, startMs: number, endMs: number, columns: ResultColumns): number {
  const histogramCount = histograms?.times.length ?? 0
  columns.reserve(length + histogramCount)
  let at = 0
  let samples = 0
  for (let i = 0; i <= length; i++) {
    const timeMs = i < length ? times[i]! : Infinity
    for (; at < histogramCount && histograms!.times[at]! < timeMs; at++) {
      const histogramMs = histograms!.times[at]!
      if (!(histogramMs > startMs && histogramMs <= endMs)) continue
      columns.pushHistogram(histogramMs, histograms!.values[at]!)
      samples += histograms!.values[at]!.sampleCount
    }
    if (!(timeMs > startMs && timeMs <= endMs)) continue
    columns.pushFloat(timeMs, values[i]!)
    samples++
  }
  return samples
}

/** undefined: they are in order, as series of a storage are. */
function sortedOrder(labels: readonly Labels[]): number[] | undefined {
  let i = 1
  while (i < labels.length && Labels.compare(labels[i - 1]!, labels[i]!) <= 0) i++
  if (i >= labels.length) return undefined
  const order = labels.map((_, i) => i)
  return order.sort((a, b) => Labels.compare(labels[a]!, labels[b]!))
}
