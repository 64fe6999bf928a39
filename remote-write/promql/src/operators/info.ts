import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import type { CallPlan, Plan, SelectorPlan, Shift, StepGrid } from '../plan/plan.ts'
import { wholeScan } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import { QueryError } from '../query-error.ts'
import { duplicateLabelsError } from './merge-labels.ts'
import type { StepSeries, VectorOperator } from './operator.ts'
import { stepSeriesBytes } from './operator.ts'
import { SeriesStore } from './series-store.ts'
import { VectorSelectorOperator } from './vector-selector.ts'

/** Labels by which info series belong to others. */
const identifyingLabels: readonly string[] = ['instance', 'job']

/** info(): adds the data labels of the info series with the same instance and job, as they were at each step. */
export class InfoOperator implements VectorOperator {
  readonly distinctWithoutName = false
  readonly #context: QueryContext
  readonly #input: VectorOperator
  readonly #grid: StepGrid
  readonly #nameMatchers: readonly Matcher[]
  readonly #dataMatchers: readonly Matcher[]
  readonly #selector: SelectorPlan
  #results: Iterator<StepSeries> | undefined

  constructor(context: QueryContext, plan: CallPlan, input: VectorOperator, grid: StepGrid) {
    this.#context = context
    this.#input = input
    this.#grid = grid
    const second = plan.args[1]
    const written = second?.kind === 'selector' ? second.matchers : []
    this.#nameMatchers = completeNameMatchers(written.filter(({ name }) => name === '__name__'))
    this.#dataMatchers = written.filter(({ name }) => name !== '__name__')
    const matchers = [...this.#nameMatchers, ...this.#dataMatchers]
    this.#selector = {
      kind: 'selector',
      matchers,
      scan: wholeScan(matchers),
      name: '',
      shift: shiftOf(plan.args[0]!) ?? { offsetMs: 0, atMs: undefined },
      smoothed: false,
      statisticsOnly: false,
      span: plan.span,
      type: 'vector',
      invariant: false,
    }
  }

  next(): StepSeries | undefined {
    this.#results ??= this.#join()
    const { value, done } = this.#results.next()
    return done === true ? undefined : value
  }

  #join(): Iterator<StepSeries> {
    const bases = SeriesStore.collect(this.#context, this.#input).series
    const infos = this.#collectInfos(bases.filter(({ labels }) => !this.#isInfo(labels)))
    const results = new Map<string, StepSeries>()
    const acceptsNone = this.#dataMatchers.every((matcher) => matcher.matches(''))
    const isAsked = new Uint8Array(this.#grid.steps)
    for (const { present } of bases) present.forEach((isPresent, i) => (isAsked[i]! |= isPresent))
    for (const candidates of infos.values()) {
      for (let i = 0; i < isAsked.length; i++) if (isAsked[i] !== 0) chooseNewest(candidates, i)
    }
    for (const base of bases) {
      this.#context.checkAlive()
      const isInfo = this.#isInfo(base.labels)
      const candidates = isInfo ? [] : (infos.get(base.labels.keep(...identifyingLabels).key()) ?? [])
      this.#joinSeries(base, candidates, isInfo || acceptsNone, results)
    }
    return results.values()
  }

  #isInfo(labels: Labels): boolean {
    const name = labels.get('__name__')
    return this.#nameMatchers.every((matcher) => matcher.matches(name))
  }

  /** Info series by their identifying labels; their values are the times of their samples. */
  #collectInfos(bases: readonly StepSeries[]): Map<string, StepSeries[]> {
    const byIdentity = new Map<string, StepSeries[]>()
    // Those that have an identifying label in common with any of the series, each label looked at by itself.
    const wanted = identifyingLabels.map(
      (name) => [name, new Set(bases.map(({ labels }) => labels.get(name)).filter((value) => value !== ''))] as const,
    )
    if (wanted.every(([, values]) => values.size === 0)) return byIdentity
    const operator = new VectorSelectorOperator(this.#context, this.#selector, this.#grid, 'timestamp of float')
    for (const series of SeriesStore.collect(this.#context, operator).series) {
      if (wanted.some(([name, values]) => values.size > 0 && !values.has(series.labels.get(name)))) continue
      const key = series.labels.keep(...identifyingLabels).key()
      const known = byIdentity.get(key)
      if (known === undefined) byIdentity.set(key, [series])
      else known.push(series)
    }
    return byIdentity
  }

  #joinSeries(base: StepSeries, candidates: readonly StepSeries[], acceptsNone: boolean, results: Map<string, StepSeries>): void {
    const known = new Map<string, StepSeries>()
    for (let i = 0; i < base.values.length; i++) {
      if (base.present[i] === 0) continue
      const chosen = chooseNewest(candidates, i)
      if (chosen.length === 0 && !acceptsNone) continue
      const choice = chosen.map((info) => candidates.indexOf(info)).join()
      let result = known.get(choice)
      if (result === undefined) {
        result = this.#resultOf(this.#addLabels(base.labels, chosen), base.dropName, results)
        known.set(choice, result)
      }
      if (result.present[i] !== 0) throw duplicateLabelsError()
      result.present[i] = 1
      result.values[i] = base.values[i]!
      const histogram = base.histograms?.[i]
      if (histogram === undefined) continue
      result.histograms ??= []
      result.histograms[i] = histogram
    }
  }

  #resultOf(labels: Labels, dropName: boolean, results: Map<string, StepSeries>): StepSeries {
    let result = results.get(labels.key())
    if (result === undefined) {
      const { steps } = this.#grid
      this.#context.hold(steps, stepSeriesBytes(steps))
      result = { labels, dropName, values: new Float64Array(steps), present: new Uint8Array(steps), histograms: undefined }
      results.set(labels.key(), result)
    }
    return result
  }

  #addLabels(base: Labels, infos: readonly StepSeries[]): Labels {
    const wanted = new Set(this.#dataMatchers.map(({ name }) => name))
    const added = new Map<string, string>()
    for (const { labels } of infos) {
      for (let i = 0; i < labels.pairs.length; i += 2) {
        const name = labels.pairs[i]!
        const value = labels.pairs[i + 1]!
        if (name === '__name__' || base.has(name) || (wanted.size > 0 && !wanted.has(name))) continue
        const other = added.get(name)
        if (other !== undefined && other !== value) throw new QueryError('execution', `conflicting label: ${name}`)
        added.set(name, value)
      }
    }
    return Labels.fromPairs([...base.pairs, ...[...added].flat()])
  }
}

/** Of each info metric the series whose sample is the newest at this step. */
function chooseNewest(candidates: readonly StepSeries[], step: number): StepSeries[] {
  const newest = new Map<string, StepSeries>()
  for (const info of candidates) {
    if (info.present[step] === 0) continue
    const name = info.labels.get('__name__')
    const other = newest.get(name)
    if (other !== undefined && other.values[step] === info.values[step]) {
      const [first, second] = [other, info].map(({ labels, values }) => `${labels.toString()} @ ${Math.round(values[step]! * 1000)}`)
      throw new QueryError('execution', `found duplicate series for info metric: existing ${first}, new ${second}`)
    }
    if (other === undefined || other.values[step]! < info.values[step]!) newest.set(name, info)
  }
  return [...newest.values()]
}

/** None: target_info. Only negative ones: of all metrics named like info metrics. */
function completeNameMatchers(written: readonly Matcher[]): readonly Matcher[] {
  if (written.length === 0) return [new Matcher('=', '__name__', 'target_info')]
  const isPositive = written.some(({ type }) => type === '=' || type === '=~')
  return isPositive ? written : [...written, new Matcher('=~', '__name__', '.+_info')]
}

/** Where in time the first selector of an expression reads, all `@` and offsets around it counted in. */
function shiftOf(plan: Plan): Shift | undefined {
  switch (plan.kind) {
    case 'selector':
      return plan.shift
    case 'window':
      return plan.selector.shift
    case 'subquery': {
      const inner = shiftOf(plan.input)
      if (inner === undefined || inner.atMs !== undefined) return inner
      return { atMs: plan.shift.atMs, offsetMs: plan.shift.offsetMs + inner.offsetMs }
    }
    case 'call':
      return firstShift(plan.args)
    case 'aggregation':
    case 'negation':
      return shiftOf(plan.input)
    case 'binary':
      return firstShift([plan.left, plan.right])
    default:
      return undefined
  }
}

function firstShift(plans: readonly Plan[]): Shift | undefined {
  for (const plan of plans) {
    const shift = shiftOf(plan)
    if (shift !== undefined) return shift
  }
  return undefined
}
