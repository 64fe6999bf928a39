import { formatOpenMetricsFloat } from '@narthex/model/number'
import { quoteText } from '@narthex/model/quote'
import type { BucketRepair } from '../functions/buckets.ts'
import { fractionOfBuckets, quantileOfBuckets } from '../functions/buckets.ts'
import { HistogramRemarks } from '../histogram/histogram-remarks.ts'
import { fractionOfHistogram, quantileOfHistogram } from '../histogram/histogram-statistics.ts'
import type { Span } from '../parse/ast.ts'
import type { CallPlan, StepGrid } from '../plan/plan.ts'
import { placeOf } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import { QueryError } from '../query-error.ts'
import type { Builder } from './build-range-call.ts'
import type { BucketFunction, NativeFunction } from './classic-histogram.ts'
import { ClassicHistogramOperator } from './classic-histogram.ts'
import { MergeLabelsOperator } from './merge-labels.ts'
import { dropNames } from './names.ts'
import type { VectorOperator } from './operator.ts'
import { warnOfQuantiles } from './quantile-warning.ts'

/** histogram_quantile, histogram_quantiles, histogram_fraction over classic and native histograms. */
export function buildHistogramCall(context: QueryContext, plan: CallPlan, grid: StepGrid, builder: Builder): VectorOperator {
  const input = plan.args.find(({ type }) => type === 'vector')!
  const vector = builder.vector(input, grid)
  const scalarPlans = plan.args.filter(({ type }) => type === 'scalar')
  const scalars = scalarPlans.map((argument) => builder.scalar(argument, grid))
  const make = (outputs: ConstructorParameters<typeof ClassicHistogramOperator>[4]) =>
    new ClassicHistogramOperator(context, vector, placeOf(input), grid, outputs)
  const remarks = new HistogramRemarks(context.annotations, placeOf(input))
  const nativeQuantile = (quantiles: Float64Array): NativeFunction => {
    return (histogram, step, labels) => {
      const { value, nan } = quantileOfHistogram(quantiles[step]!, histogram)
      remarks.metricName = labels.get('__name__')
      if (nan === 'isResult') remarks.quantileIsNaN()
      if (nan === 'skews') remarks.quantileIsSkewed()
      return value
    }
  }
  if (plan.name === 'histogram_fraction') {
    const [lower, upper] = scalars
    const evaluate: BucketFunction = (buckets, step) => fractionOfBuckets(lower![step]!, upper![step]!, buckets)
    const evaluateNative: NativeFunction = (histogram, step, labels) => {
      const { value, nan } = fractionOfHistogram(lower![step]!, upper![step]!, histogram)
      remarks.metricName = labels.get('__name__')
      if (nan === 'skews') remarks.fractionLacksNaN()
      return value
    }
    return dropNames(context, make([{ evaluate, evaluateNative, label: (labels) => labels }]))
  }
  scalars.forEach((quantiles, i) => warnOfQuantiles(context, quantiles, placeOf(scalarPlans[i]!)))
  if (plan.name === 'histogram_quantile') {
    const evaluate = makeQuantile(context, scalars[0]!, placeOf(input))
    return dropNames(context, make([{ evaluate, evaluateNative: nativeQuantile(scalars[0]!), label: (labels) => labels }]))
  }
  const nameLabel = plan.args.find(({ kind }) => kind === 'text')
  const label = nameLabel?.kind === 'text' ? nameLabel.value : ''
  if (label === '' || !label.isWellFormed()) throw new QueryError('execution', `invalid label name ${quoteText(label)}`)
  const outputs = scalars.map((quantiles) => ({
    evaluate: makeQuantile(context, quantiles, placeOf(input)),
    evaluateNative: nativeQuantile(quantiles),
    // One series per quantile as written: a quantile that varies over the steps is named by its first value.
    label: (labels: Parameters<BucketFunction>[2]) => addQuantileLabel(labels, label, quantiles[0]!),
  }))
  return new MergeLabelsOperator(context, dropNames(context, make(outputs)))
}

function addQuantileLabel(labels: Parameters<BucketFunction>[2], label: string, quantile: number): Parameters<BucketFunction>[2] {
  if (labels.has(label)) throw new QueryError('execution', `label ${quoteText(label)} already exists in input vector`)
  return labels.with(label, formatOpenMetricsFloat(quantile))
}

const seeDocumentation = 'see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile'

function makeQuantile(context: QueryContext, quantiles: Float64Array, span: Span): BucketFunction {
  const repair: BucketRepair = { forcedMonotonic: false, minBound: 0, maxBound: 0, maxFall: 0 }
  return (buckets, step, labels) => {
    const value = quantileOfBuckets(quantiles[step]!, buckets, repair)
    if (repair.forcedMonotonic) {
      const name = labels.get('__name__')
      const message = `input to histogram_quantile needed to be fixed for monotonicity (${seeDocumentation}) for metric name ${quoteText(name)}`
      context.annotations.info(message, span)
    }
    return value
  }
}
