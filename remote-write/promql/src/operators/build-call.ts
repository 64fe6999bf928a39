import { dateFunctions } from '../functions/dates.ts'
import { elementwiseFunctions } from '../functions/elementwise.ts'
import { greatestOf, leastOf } from '../functions/extremes.ts'
import { rangeFunctions } from '../functions/range-functions.ts'
import type { FloatHistogram } from '../histogram/float-histogram.ts'
import { varianceOfHistogram } from '../histogram/histogram-statistics.ts'
import type { CallPlan, SelectorPlan, StepGrid } from '../plan/plan.ts'
import { timeOfStep } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import { notBuiltYet } from '../query-error.ts'
import { buildAbsent } from './absent.ts'
import { buildHistogramCall } from './build-histogram-call.ts'
import type { Builder } from './build-range-call.ts'
import { buildPresence, buildRangeCall } from './build-range-call.ts'
import { SingleSeriesOperator } from './constant-series.ts'
import { InfoOperator } from './info.ts'
import { buildLabelJoin, buildLabelReplace } from './label-functions.ts'
import type { MixedSeries } from './map-values.ts'
import { MapValuesOperator } from './map-values.ts'
import { dropNames } from './names.ts'
import { measureVector } from './measured.ts'
import type { VectorOperator } from './operator.ts'
import { buildSort } from './sort.ts'
import type { SelectorContent } from './vector-selector.ts'
import { VectorSelectorOperator } from './vector-selector.ts'

/** Builds the operators of a function that gives an instant vector. */
export function buildCall(context: QueryContext, plan: CallPlan, grid: StepGrid, builder: Builder): VectorOperator {
  if (rangeFunctions.has(plan.name)) return buildRangeCall(context, plan, grid, builder)
  const elementwise = elementwiseFunctions.get(plan.name)
  const vector = () => builder.vector(plan.args[0]!, grid)
  if (elementwise !== undefined) return mapValues(context, vector(), elementwise)
  const ofHistogram = histogramFunctions.get(plan.name)
  if (ofHistogram !== undefined) return mapHistograms(context, vector(), ofHistogram)
  const datePart = dateFunctions.get(plan.name)
  if (datePart !== undefined) {
    if (plan.args.length > 0) return mapValues(context, vector(), datePart)
    return new SingleSeriesOperator(new Float64Array(grid.steps).map((_, i) => datePart(timeOfStep(grid, i) / 1000)))
  }
  switch (plan.name) {
    case 'vector':
      return new SingleSeriesOperator(builder.scalar(plan.args[0]!, grid))
    case 'absent':
      return buildAbsent(plan.args[0]!, vector(), grid)
    case 'absent_over_time':
      return buildAbsent(plan.args[0]!, buildPresence(context, plan.args[0]!, grid, builder), grid)
    case 'timestamp':
      return buildTimestamp(context, plan, grid, builder)
    case 'round':
    case 'clamp':
    case 'clamp_min':
    case 'clamp_max':
      return buildLimited(context, plan, grid, builder)
    case 'label_replace':
      return buildLabelReplace(context, plan, vector())
    case 'label_join':
      return buildLabelJoin(context, plan, vector())
    case 'sort':
    case 'sort_desc':
    case 'sort_by_label':
    case 'sort_by_label_desc':
      return buildSort(context, plan, vector(), grid)
    case 'histogram_quantile':
    case 'histogram_quantiles':
    case 'histogram_fraction':
      return buildHistogramCall(context, plan, grid, builder)
    case 'info':
      return new InfoOperator(context, plan, vector(), grid)
    case 'start_timestamp':
      return buildStartTimestamp(context, plan, grid)
    default:
      throw notBuiltYet(`function "${plan.name}" is`)
  }
}

function mapValues(context: QueryContext, input: VectorOperator, compute: (value: number, step: number) => number): VectorOperator {
  const apply = (values: Float64Array) => {
    for (let i = 0; i < values.length; i++) values[i] = compute(values[i]!, i)
  }
  return dropNames(context, new MapValuesOperator(input, apply))
}

/** A number of each histogram; floats are dropped. */
function mapHistograms(context: QueryContext, input: VectorOperator, compute: (histogram: FloatHistogram) => number): VectorOperator {
  const dropFloats = (_values: Float64Array, present: Uint8Array) => void present.fill(0)
  const apply = (series: MixedSeries) => {
    const { values, present, histograms } = series
    for (let i = 0; i < present.length; i++) {
      const histogram = present[i] === 0 ? undefined : histograms[i]
      present[i] = histogram === undefined ? 0 : 1
      if (histogram !== undefined) values[i] = compute(histogram)
    }
    Object.assign(series, { histograms: undefined })
  }
  return dropNames(context, new MapValuesOperator(input, dropFloats, apply))
}

const histogramFunctions: ReadonlyMap<string, (histogram: FloatHistogram) => number> = new Map([
  ['histogram_avg', ({ sum, count }) => sum / count],
  ['histogram_count', ({ count }) => count],
  ['histogram_stddev', (histogram) => Math.sqrt(varianceOfHistogram(histogram))],
  ['histogram_stdvar', varianceOfHistogram],
  ['histogram_sum', ({ sum }) => sum],
])

/** Of a selector the time of its sample, of anything else the time of the step. */
function buildTimestamp(context: QueryContext, plan: CallPlan, grid: StepGrid, builder: Builder): VectorOperator {
  const argument = plan.args[0]!
  if (argument.kind === 'selector') return dropNames(context, buildSelector(context, argument, grid, 'timestamp'))
  const times = Float64Array.from({ length: grid.steps }, (_, step) => timeOfStep(grid, step) / 1000)
  const applyMixed = (series: MixedSeries) => {
    series.values.set(times)
    Object.assign(series, { histograms: undefined })
  }
  return dropNames(context, new MapValuesOperator(builder.vector(argument, grid), (values) => values.set(times), applyMixed))
}

/** Of a selector's samples, if start timestamps are read; what an expression makes has no beginning. */
function buildStartTimestamp(context: QueryContext, plan: CallPlan, grid: StepGrid): VectorOperator {
  const argument = plan.args[0]!
  if (!context.useStartTimestamps || argument.kind !== 'selector') return emptyVector
  return dropNames(context, buildSelector(context, argument, grid, 'start timestamp'))
}

function buildSelector(context: QueryContext, plan: SelectorPlan, grid: StepGrid, content: SelectorContent): VectorOperator {
  return measureVector(context, plan, grid, () => new VectorSelectorOperator(context, plan, grid, content))
}

const emptyVector: VectorOperator = { distinctWithoutName: true, next: () => undefined }

function buildLimited(context: QueryContext, plan: CallPlan, grid: StepGrid, builder: Builder): VectorOperator {
  const input = builder.vector(plan.args[0]!, grid)
  const [first, second] = plan.args.slice(1).map((argument) => builder.scalar(argument, grid))
  switch (plan.name) {
    case 'round':
      return mapValues(context, input, (value, step) => roundTo(value, first === undefined ? 1 : first[step]!))
    case 'clamp_min':
      return mapValues(context, input, (value, step) => greatestOf(first![step]!, value))
    case 'clamp_max':
      return mapValues(context, input, (value, step) => leastOf(first![step]!, value))
    default: {
      const clamp = (values: Float64Array, present: Uint8Array) => {
        for (let i = 0; i < values.length; i++) {
          // An empty interval leaves nothing.
          if (second![i]! < first![i]!) present[i] = 0
          else values[i] = greatestOf(first![i]!, leastOf(second![i]!, values[i]!))
        }
      }
      return dropNames(context, new MapValuesOperator(input, clamp))
    }
  }
}

/** Half up, by the inverse of the unit: that is more exact for units below one, as 0.1. */
function roundTo(value: number, unit: number): number {
  const inverse = 1 / unit
  return Math.floor(value * inverse + 0.5) / inverse
}
