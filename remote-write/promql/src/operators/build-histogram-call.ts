import type { Labels } from '@narthex/model/labels'
import { formatOpenMetricsFloat } from '@narthex/model/number'
import { quoteText } from '@narthex/model/quote'
import type { BucketRepair } from '../functions/buckets.ts'
import { fractionOfBuckets, quantileOfBuckets } from '../functions/buckets.ts'
import { HistogramRemarks } from '../histogram/histogram-remarks.ts'
import { fractionOfHistogram, quantileOfHistogram } from '../histogram/histogram-statistics.ts'
import type { Span } from '../parse/ast.ts'
import type { CallPlan, StepGrid } from '../plan/plan.ts'
import { timeOfStep } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import type { Builder } from './build-range-call.ts'
import type { BucketFunction, NativeFunction } from './classic-histogram.ts'
import { ClassicHistogramOperator } from './classic-histogram.ts'
import { MergeLabelsOperator } from './merge-labels.ts'
import { dropNames } from './names.ts'
import type { VectorOperator } from './operator.ts'
import { warnOfQuantiles } from './parameter-warnings.ts'

/** histogram_quantile, histogram_quantiles, histogram_fraction over classic and native histograms. */
export function buildHistogramCall(context: QueryContext, plan: CallPlan, grid: StepGrid, builder: Builder): VectorOperator {
  const input = plan.args.find(({ type }) => type === 'vector')!
  const vector = builder.vector(input, grid)
  const scalarPlans = plan.args.filter(({ type }) => type === 'scalar')
  const scalars = scalarPlans.map((argument) => builder.scalar(argument, grid))
  const make = (outputs: ConstructorParameters<typeof ClassicHistogramOperator>[4]) =>
    new ClassicHistogramOperator(context, vector, input.span, grid, outputs)
  const remarks = new HistogramRemarks(context.annotations, input.span)
  const nativeQuantile = (quantiles: Float64Array): NativeFunction => {
    return (histogram, step, labels) => {
      const { value, nan } = quantileOfHistogram(quantiles[step]!, histogram)
      remarks.metricName = nameToTell(context, labels)
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
      remarks.metricName = nameToTell(context, labels)
      if (nan === 'skews') remarks.fractionLacksNaN()
      return value
    }
    return dropNames(context, make([{ evaluate, evaluateNative, label: (labels) => labels }]))
  }
  scalars.forEach((quantiles, i) => warnOfQuantiles(context, quantiles, scalarPlans[i]!.span))
  if (plan.name === 'histogram_quantile') {
    const evaluate = makeQuantile(context, grid, scalars[0]!, input.span)
    return dropNames(context, make([{ evaluate, evaluateNative: nativeQuantile(scalars[0]!), label: (labels) => labels }]))
  }
  const nameLabel = plan.args.find(({ kind }) => kind === 'text')
  const label = nameLabel?.kind === 'text' ? nameLabel.value : ''
  // A quantile that varies over the steps makes a series for each of its values, as each has another label.
  const outputs = scalars.flatMap((quantiles) => {
    return [...new Set(quantiles)].map((quantile) => ({
      evaluate: makeQuantile(context, grid, quantiles, input.span),
      evaluateNative: nativeQuantile(quantiles),
      isComputedAt: (step: number) => Object.is(quantiles[step], quantile),
      label: (labels: Labels) => labels.with(label, formatOpenMetricsFloat(quantile)),
    }))
  })
  return new MergeLabelsOperator(context, dropNames(context, make(outputs)))
}

/** Whose name a result loses is told of without it. */
function nameToTell({ delayedNameRemoval }: QueryContext, labels: Labels): string {
  return delayedNameRemoval ? labels.get('__name__') : ''
}

const seeDocumentation = 'see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile'

function makeQuantile(context: QueryContext, grid: StepGrid, quantiles: Float64Array, span: Span): BucketFunction {
  const repair: BucketRepair = { forcedMonotonic: false, minBound: 0, maxBound: 0, maxFall: 0 }
  return (buckets, step, labels) => {
    const value = quantileOfBuckets(quantiles[step]!, buckets, repair)
    if (repair.forcedMonotonic) {
      const { minBound, maxBound, maxFall } = repair
      const name = nameToTell(context, labels)
      const message = `input to histogram_quantile needed to be fixed for monotonicity (${seeDocumentation})`
      const timeMs = timeOfStep(grid, step)
      const falls = { sampleCount: 1, minBound, maxBound, maxFall, firstMs: timeMs, lastMs: timeMs }
      context.annotations.info(name === '' ? message : `${message} for metric name ${quoteText(name)}`, span, falls)
    }
    return value
  }
}
