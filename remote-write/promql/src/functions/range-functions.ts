import { quoteText } from '@narthex/model/quote'
import { makeIntegral } from './integral.ts'
import * as overTime from './over-time.ts'
import { countChanges, countResets, makeExtrapolated, makeExtrapolatedAll, makeInstantaneous } from './rate.ts'
import { derivative, makeDoubleExponentialSmoothing, makePredictLinear } from './regression.ts'
import type { WindowFunction, WindowsFunction } from './sample-window.ts'
import { makeSlidingExtreme } from './sliding-extremes.ts'

export interface RangeFunction {
  /** Builds the function from its scalar arguments, one value per step each, in the order written. */
  make(scalars: readonly Float64Array[]): WindowFunction
  /** The same of all steps in one go, where that is quicker. */
  readonly ofAllSteps?: WindowsFunction
  readonly needsResets?: boolean
  readonly keepsName?: boolean
  /** Meant for counters: a name that does not look like one is remarked on. */
  readonly wantsCounter?: boolean
}

function plain(evaluate: WindowFunction, options: Omit<RangeFunction, 'make'> = {}): RangeFunction {
  return { make: () => evaluate, ...options }
}

/** Every function of one range vector that gives a value per series; absent_over_time stands apart. */
export const rangeFunctions: ReadonlyMap<string, RangeFunction> = new Map<string, RangeFunction>([
  ['rate', plain(makeExtrapolated(true, true), { needsResets: true, wantsCounter: true, ofAllSteps: makeExtrapolatedAll(true, true) })],
  [
    'increase',
    plain(makeExtrapolated(true, false), { needsResets: true, wantsCounter: true, ofAllSteps: makeExtrapolatedAll(true, false) }),
  ],
  ['delta', plain(makeExtrapolated(false, false), { ofAllSteps: makeExtrapolatedAll(false, false) })],
  ['irate', plain(makeInstantaneous(true))],
  ['idelta', plain(makeInstantaneous(false))],
  ['deriv', plain(derivative)],
  ['predict_linear', { make: ([seconds]) => makePredictLinear(seconds!) }],
  ['double_exponential_smoothing', { make: ([smoothing, trend]) => makeDoubleExponentialSmoothing(smoothing!, trend!) }],
  ['integral', { make: ([strategies]) => makeIntegral(strategies) }],
  ['resets', plain(countResets, { needsResets: true })],
  ['changes', plain(countChanges)],
  ['avg_over_time', plain(overTime.averageOverTime)],
  ['count_over_time', plain(overTime.countOverTime, { ofAllSteps: overTime.countOverTimeAll })],
  ['first_over_time', plain(overTime.firstOverTime, { keepsName: true })],
  ['last_over_time', plain(overTime.lastOverTime, { keepsName: true, ofAllSteps: overTime.lastOverTimeAll })],
  ['mad_over_time', plain(overTime.medianDeviationOverTime)],
  ['max_over_time', plain(overTime.maxOverTime, { ofAllSteps: makeSlidingExtreme(false) })],
  ['min_over_time', plain(overTime.minOverTime, { ofAllSteps: makeSlidingExtreme(true) })],
  ['present_over_time', plain(overTime.presentOverTime)],
  ['quantile_over_time', { make: ([quantile]) => overTime.makeQuantileOverTime(quantile!) }],
  ['stddev_over_time', plain(overTime.deviationOverTime)],
  ['stdvar_over_time', plain(overTime.varianceOverTime)],
  ['sum_over_time', plain(overTime.sumOverTime)],
  ['ts_of_first_over_time', plain(overTime.timeOfFirst)],
  ['ts_of_last_over_time', plain(overTime.timeOfLast)],
  ['ts_of_max_over_time', plain(overTime.timeOfMax)],
  ['ts_of_min_over_time', plain(overTime.timeOfMin)],
])

/** As `describeNonCounter` by the type that a metric's labels name. */
export function describeNonCounterType(name: string, type: string): string | undefined {
  if (name === '' || type === 'counter' || type === 'histogram') return undefined
  const wanted = '__type__ label is not set to "counter" or "histogram"'
  return `metric might not be a counter, ${wanted}, got ${quoteText(type)}: ${quoteText(name)}`
}

/** The remark on rate() of a metric that does not look like a counter; undefined for one that does. */
export function describeNonCounter(name: string): string | undefined {
  if (name === '' || /_(total|sum|count|bucket)$/.test(name)) return undefined
  return `metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ${quoteText(name)}`
}
