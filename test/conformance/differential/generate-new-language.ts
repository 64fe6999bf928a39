import * as words from './new-vocabulary.ts'

/** What the generator of the shared language gives: a selector and windows, and expressions of floats. */
export interface SharedLanguage {
  /** A selector of floats without offset and `@`. */
  selector(): string
  /** `offset …` and `@ …`, or nothing. */
  shift(): string
  /** An expression whose values are the same bit by bit however they are added up. */
  exact(depth: number): string
  any(depth: number): string
  scalar(depth: number): string
}

/** Expressions that Prometheus 3 has and 2.42 has not: native histograms, durations that are computed, experimental functions and modifiers. */
export class NewLanguage {
  readonly #random: () => number
  readonly #shared: SharedLanguage

  constructor(random: () => number, shared: SharedLanguage) {
    this.#random = random
    this.#shared = shared
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)]!
  }

  #chance(share: number): boolean {
    return this.#random() < share
  }

  /** Between brackets. */
  window(): string {
    return this.#chance(0.25) ? this.#pick(words.durations) : this.#pick(words.windows)
  }

  /** Prometheus does not read a colon behind durations without a number. */
  subqueryWindow(): string {
    const window = this.window()
    return /\d/.test(window) ? window : '7m'
  }

  shift(): string {
    const shift = this.#shared.shift()
    return this.#chance(0.15) && !shift.includes('offset') ? `${shift} offset ${this.#pick(words.offsetDurations)}` : shift
  }

  scalar(): string {
    const [first, second] = [this.#pick(words.numbers), this.#pick(words.scalarCalls)]
    return this.#pick([() => second, () => `${this.#pick(['max_of', 'min_of'])}(${first}, ${second})`])()
  }

  /** Floats, the same bit by bit. */
  exact(depth: number): string {
    const inner = () => this.#shared.exact(depth)
    return this.#pick([
      () => `${this.#pick(words.exactRangeFunctions)}(${this.#floatRange()})`,
      () => `${this.#pick(words.exactRangeFunctions)}(${this.#anyRange()})`,
      () => `${this.#pick(['sort_by_label', 'sort_by_label_desc'])}(${inner()}, ${this.#pick(words.labelLists)})`,
      // Which ones it takes depends on the order in which the storage gives them.
      () => `count(limitk(${this.#pick(words.counts)}, ${this.#shared.selector()}${this.shift()}))`,
      () => `limit_ratio(${this.#pick(words.ratios)}, ${this.#shared.selector()}${this.shift()})`,
      () => `limit_ratio(${this.#pick(words.ratios)}, ${inner()})`,
      // With an offset or @ around it Prometheus does not find the info series.
      () => `info(${this.#shared.selector()}${this.#pick(words.infoMatchers)})`,
      () => `histogram_count(${this.histogram(0)})`,
      () => this.#filled(inner),
      () => `(${inner()}) ${this.#pick(['and', 'or', 'unless'])}${this.#pick(words.setMatchings)} (${this.histogram(depth - 1)})`,
      () => `${this.#pick(['count', 'group'])}${this.#pick(words.groupings)} (${this.histogram(depth - 1)})`,
      () => `timestamp(${this.#histogramSelector()})`,
      () => `absent(${this.histogram(depth - 1)})`,
    ])()
  }

  /** Any floats. */
  vector(depth: number): string {
    const histogram = () => this.histogram(depth - 1)
    return this.#pick([
      () => this.exact(depth),
      () => this.exact(depth),
      () => `mad_over_time(${this.#floatRange()})`,
      () =>
        `${this.#pick(words.rates)}(${this.#shared.selector()}[${this.window()}]${this.#pick(['', ' anchored', ' smoothed'])}${this.shift()})`,
      () => `${this.#pick(['changes', 'resets'])}(${this.#shared.selector()}[${this.window()}] anchored${this.shift()})`,
      () => `${this.#shared.selector()} smoothed${this.shift()}`,
      () => `double_exponential_smoothing(${this.#floatRange()}, ${this.#pick(['0.1', '0.5'])}, ${this.#pick(['0.2', '0.9'])})`,
      () => `${this.#pick(words.histogramFunctions)}(${histogram()})`,
      () => `histogram_quantile(${this.#pick(words.quantiles)}, ${this.#withoutNaN()})`,
      () => `histogram_quantile(${this.#shared.scalar(depth - 1)}, ${this.#withoutNaN()})`,
      () => `histogram_fraction(${this.#pick(words.bounds)}, ${this.#pick(words.bounds)}, ${this.#pick([histogram, () => 'h_bucket'])()})`,
      () =>
        `histogram_quantiles(${this.#pick([() => this.#withoutNaN(), () => 'rate(h_bucket[5m])'])()}, "${this.#pick(['q', 'job'])}", ${this.#pick(words.quantileLists)})`,
      () => `(${this.#shared.any(depth)}) ${this.#pick(words.operators)} (${histogram()})`,
      () => `(${histogram()}) ${this.#pick(words.operators)}${this.#pick(words.matchings)} (${this.#shared.any(depth)})`,
      () => `${this.#pick(words.floatAggregations)}${this.#pick(words.groupings)} (${histogram()})`,
      () => `${this.#pick(['topk', 'bottomk'])}(${this.#pick(words.counts)}, ${this.#histogramSelector()} or c_total)`,
      () => `quantile(${this.#pick(words.quantiles)}, ${histogram()})`,
      () => `count_values("value", ${this.#histogramSelector()})`,
      () => `${this.#pick(words.floatFunctions)}(${histogram()})`,
      () => `${this.#pick(words.floatRangeFunctions)}(${this.#anyRange()})`,
      () => `quantile_over_time(${this.#pick(words.quantiles)}, ${this.#anyRange()})`,
      // Of a subquery that is pinned Prometheus makes nothing.
      () => `predict_linear(${this.#histogramSelector()}[${this.window()}]${this.shift()}, 60)`,
      () => `vector(scalar(${histogram()}))`,
      () => this.#filled(() => this.#shared.any(depth)),
      () => histogram(),
      () => histogram(),
      () => histogram(),
    ])()
  }

  /** Native histograms, floats among them here and there. */
  histogram(depth: number): string {
    if (depth <= 0) return `${this.#histogramSelector()}${this.shift()}`
    const inner = () => this.histogram(depth - 1)
    return this.#pick([
      () => `${this.#histogramSelector()}${this.shift()}`,
      () =>
        `${this.#pick(words.histogramRangeFunctions)}(${this.#histogramSelector()}[${this.window()}]${this.#pick(words.extensions)}${this.shift()})`,
      () => `${this.#pick(words.histogramRangeFunctions)}(${this.#histogramSelector()}[${this.window()}]${this.shift()})`,
      () => `${this.#pick(words.histogramRangeFunctions)}(${this.#anyRange()})`,
      () => `(${inner()}) ${this.#pick(['*', '/', '%', '+'])} ${this.#pick(words.numbers)}`,
      () => `${this.#pick(words.numbers)} ${this.#pick(['*', '/', '-', '^'])} (${inner()})`,
      () => `(${inner()}) ${this.#pick(['</', '>/'])} ${this.#pick(words.bounds)}`,
      () => `-(${inner()})`,
      () => `(${inner()}) ${this.#pick(['+', '-', '==', '!='])}${this.#pick(words.matchings)} (${inner()})`,
      () => `(${inner()}) ${this.#pick(words.operators)} (${inner()})`,
      () => `(${inner()}) ${this.#pick(['==', '!='])} bool (${inner()})`,
      () => `${this.#pick(['sum', 'avg'])}${this.#pick(words.groupings)} (${inner()})`,
      () => `${this.#pick(['sum', 'avg', 'min', 'max'])}${this.#pick(words.groupings)} (${inner()} or ${this.#shared.selector()})`,
      () => `(${inner()}) ${this.#pick(['and', 'or', 'unless'])}${this.#pick(words.setMatchings)} (${this.#shared.any(depth - 1)})`,
      () => `(${this.#shared.any(depth - 1)}) ${this.#pick(['*', '/', 'or'])} (${inner()})`,
      () => `label_replace(${inner()}, "copy", "$1-x", "job", "(.*)")`,
      () => `${this.#pick(['sort', 'sort_desc'])}(${inner()})`,

      () => `limit_ratio(${this.#pick(words.ratios)}, ${this.#histogramSelector()})`,
      () => `info(${this.#histogramSelector()}${this.#pick(words.infoMatchers)})`,
    ])()
  }

  /** Of histograms with observations of NaN Prometheus computes the quantile in their last bucket. */
  #withoutNaN(): string {
    const name = this.#pick(words.histogramNames.filter((candidate) => candidate !== 'nhnan'))
    const rate = () => `${this.#pick(['rate', 'increase', 'sum_over_time'])}(${name}[${this.window()}]${this.shift()})`
    return this.#pick([() => name, rate, () => `sum by (job) (${rate()})`, () => `(${rate()}) / 3`])()
  }

  #histogramSelector(): string {
    const condition = this.#pick(words.histogramConditions)
    return this.#chance(0.03) ? `{__name__=~"nh.*"${condition === '' ? '' : `,${condition}`}}` : this.#named(condition)
  }

  #named(condition: string): string {
    return `${this.#pick(words.histogramNames)}${condition === '' ? '' : `{${condition}}`}`
  }

  #floatRange(): string {
    return `${this.#shared.selector()}[${this.window()}]${this.shift()}`
  }

  #anyRange(): string {
    return this.#pick([
      () => `${this.#histogramSelector()}[${this.window()}]${this.shift()}`,
      () => `(${this.histogram(1)})[${this.subqueryWindow()}:${this.#pick(words.subquerySteps)}]${this.shift()}`,
      () => `(${this.#shared.exact(1)})[${this.subqueryWindow()}:${this.#pick(words.subquerySteps)}]${this.shift()}`,
    ])()
  }

  #filled(side: () => string): string {
    const operator = this.#pick(words.fillableOperators)
    return `(${side()}) ${operator}${this.#pick(words.fillMatchings)} (${side()})`
  }
}
