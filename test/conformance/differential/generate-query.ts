import { NewLanguage } from './generate-new-language.ts'
import * as words from './vocabulary.ts'

/**
 * How alike two ways of computing a value come out. exact: bit by bit. close: but for a small share of the value, as sums in another order do.
 * rough: but for a small share of the terms, of which nothing may be left but rounding.
 */
type Precision = 'exact' | 'close' | 'rough'

/** What the place of an expression asks of it. */
interface Want {
  readonly precision: Precision
  /** Neither NaN nor infinite. */
  readonly isFinite: boolean
}

const exact: Want = { precision: 'exact', isFinite: false }
const close: Want = { precision: 'close', isFinite: false }
const rough: Want = { precision: 'rough', isFinite: false }

/** What is asked: of the language that 2.42 and 3 share, or of all that 3 has. */
export type Language = 'shared' | 'new'

/**
 * A query that Prometheus must answer as we do over the series of the differential test. What rounding would decide, and what 2.42 computes
 * otherwise, is left out by what a place asks of its expression. `depth` bounds the nesting.
 */
export function generateQuery(random: () => number, language: Language = 'shared', depth = 4): string {
  const generator = new Generator(random, language)
  return generator.sorted(depth)
}

/** 3 has another name for this function. */
export function inNewWords(query: string): string {
  return query.replaceAll('holt_winters(', 'double_exponential_smoothing(')
}

class Generator {
  readonly #random: () => number
  /** What may follow a selector here. */
  #shifts: readonly string[] = words.shifts
  #isInRange = false
  readonly #new: NewLanguage | undefined

  constructor(random: () => number, language: Language) {
    this.#random = random
    if (language === 'shared') return
    this.#new = new NewLanguage(random, {
      selector: () => this.#selectorAlone(false),
      shift: () => this.#shift(),
      exact: (depth) => this.#vector(depth, exact),
      any: (depth) => this.#vector(depth, rough),
      scalar: (depth) => this.#scalar(depth, exact),
    })
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)]!
  }

  #chance(share: number): boolean {
    return this.#random() < share
  }

  #shift(): string {
    return this.#pick(this.#shifts)
  }

  /** An expression whose selectors have no other offsets and `@` than these. */
  #shiftedBy(shifts: readonly string[], generate: () => string): string {
    const before = this.#shifts
    this.#shifts = shifts.filter((shift) => before.includes(shift))
    const text = generate()
    this.#shifts = before
    return text
  }

  /** Sorting counts at the top alone. */
  sorted(depth: number): string {
    if (this.#chance(0.05)) return this.#scalar(depth, rough)
    return this.#chance(0.06) ? `${this.#pick(['sort', 'sort_desc'])}(${this.#vector(depth, exact)})` : this.#vector(depth, rough)
  }

  #vector(depth: number, want: Want): string {
    if (depth <= 0 || this.#chance(0.08)) return this.#selector(want)
    const inner = depth - 1
    if (this.#new !== undefined && !want.isFinite && this.#chance(0.3)) {
      return want.precision === 'rough' ? this.#new.vector(inner) : this.#new.exact(inner)
    }
    const productions = [
      () => this.#selector(want),
      () => this.#exactOverTime(inner, want),
      () => this.#exactOverTime(inner, want),
      () => this.#plainFunction(inner, want),
      () => this.#exactAggregation(inner, want),
      () => this.#exactAggregation(inner, want),
      () => this.#chosen(inner, want),
      () => this.#labelled(inner, want),
      () => this.#absent(inner),
      () => this.#scalarOperation(inner, want),
      () => this.#matched(inner, want),
      () => this.#matched(inner, want),
      () => this.#setOperation(inner, want),
      () => `(${this.#vector(inner, want)})`,
      () => `vector(${this.#scalar(inner, want)})`,
    ]
    if (want.precision !== 'exact') {
      productions.push(
        () => this.#closeOverTime(inner),
        () => this.#closeOverTime(inner),
        () => this.#closeAggregation(inner, want),
        () => this.#closeAggregation(inner, want),
      )
      if (!want.isFinite) {
        productions.push(
          () => this.#mathematics(inner),
          () => this.#histogramQuantile(inner),
        )
      }
    }
    return this.#pick(productions)()
  }

  #selector({ isFinite }: Want): string {
    return this.#selectorAlone(isFinite) + this.#shift()
  }

  #selectorAlone(isFinite: boolean): string {
    const family = this.#pick(isFinite ? words.families.filter((candidate) => candidate.isFinite) : words.families)
    // A pinned one fails in 2.42 even where no step asks for it.
    if (this.#shifts === words.offsets && this.#chance(0.06)) return `{__name__=~"flat|sparse|c_.*",${this.#pick(family.conditions)}}`
    return this.#withConditions(family)
  }

  #selectorOf(names: readonly string[]): string {
    const name = this.#pick(names)
    return this.#withConditions(words.families.find((family) => family.name === name)!)
  }

  #withConditions({ name, conditions }: words.Family): string {
    const chosen = Array.from({ length: this.#pick([0, 0, 0, 1, 1, 2]) }, () => this.#pick(conditions))
    if (this.#chance(0.1)) return `{${[...chosen, `__name__="${name}"`].join(',')}}`
    return chosen.length === 0 ? name : `${name}{${chosen.join(',')}}`
  }

  #range(depth: number, want: Want): string {
    const wasInRange = this.#isInRange
    this.#isInRange = true
    const text = this.#rangeInside(depth, want)
    this.#isInRange = wasInRange
    return text
  }

  #rangeInside(depth: number, want: Want): string {
    const shift = this.#shift()
    const window = this.#new?.window() ?? this.#pick(words.windows)
    if (depth <= 0 || this.#chance(0.65)) return `${this.#selectorAlone(want.isFinite)}[${window}]${shift}`
    if (this.#chance(0.1)) {
      // 2.42 evaluates what is pinned even if no step asks for it, and may fail.
      const inner = this.#shiftedBy(words.offsets, () => this.#vector(depth - 1, want))
      return `(${inner})[${words.narrowSubqueryWindow}:${this.#pick(words.subquerySteps)}]${shift}`
    }
    // With both on a subquery, 2.42 takes what is pinned inside at another time.
    const innerShifts = words.singleShifts.includes(shift) ? words.shifts : words.offsets
    const inner = this.#shiftedBy(innerShifts, () => this.#vector(depth - 1, want))
    return `(${inner})[${this.#pick(words.subqueryWindows)}:${this.#pick(words.subquerySteps)}]${shift}`
  }

  #exactOverTime(depth: number, want: Want): string {
    return this.#pick([
      () => `${this.#pick(['min_over_time', 'max_over_time', 'last_over_time'])}(${this.#range(depth, want)})`,
      () => this.#quantile(depth, want, (quantile, left) => `quantile_over_time(${quantile}, ${this.#range(left, want)})`),
      () => `${this.#pick(['count_over_time', 'present_over_time'])}(${this.#range(depth, close)})`,
      () => `${this.#pick(['changes', 'resets', 'idelta'])}(${this.#range(depth, { ...want, precision: 'exact' })})`,
    ])()
  }

  #closeOverTime(depth: number): string {
    const ranged = () => this.#range(depth, { precision: 'exact', isFinite: true })
    return this.#pick([
      () => `${this.#pick(['sum_over_time', 'avg_over_time', 'stddev_over_time', 'stdvar_over_time'])}(${ranged()})`,
      () => `${this.#pick(['delta', 'irate', 'deriv'])}(${ranged()})`,
      () => `${this.#pick(['rate', 'increase'])}(${this.#steadyRange()})`,
      () => `${this.#pick(['rate', 'increase'])}(${this.#steadyRange()})`,
      // 2.42 computes it once for a range that is pinned.
      () => `predict_linear(${this.#shiftedBy(words.offsets, ranged)}, ${this.#pick(words.finiteNumbers)})`,
      () => `holt_winters(${ranged()}, ${this.#pick(['0.1', '0.5', '0.9'])}, ${this.#pick(['0.2', '0.6'])})`,
    ])()
  }

  #steadyRange(): string {
    const shift = this.#shift()
    if (this.#chance(0.8)) return `${this.#selectorOf(words.steadyNames)}[${this.#pick(words.windows)}]${shift}`
    return `${this.#selectorOf(words.steadyAtAnyStep)}[${this.#pick(words.subqueryWindows)}:${this.#pick(words.subquerySteps)}]${shift}`
  }

  #plainFunction(depth: number, want: Want): string {
    const inner = () => this.#vector(depth, want)
    const exactly = () => this.#vector(depth, { ...want, precision: 'exact' })
    const bound = () => this.#pick(words.finiteNumbers)
    return this.#pick([
      () => `abs(${inner()})`,
      () => `${this.#pick(['-', '+'])}(${inner()})`,
      () => `clamp(${inner()}, ${bound()}, ${bound()})`,
      () => `${this.#pick(['clamp_min', 'clamp_max'])}(${inner()}, ${this.#scalar(depth, want)})`,
      () => `${this.#pick(['ceil', 'floor', 'sgn', 'round'])}(${exactly()})`,
      () => `round(${exactly()}, ${bound()})`,
      () => this.#timestamp(() => this.#vector(depth, close)),
      () => `${this.#pick(words.dateFunctions)}(${this.#time()})`,
      () => `${this.#pick(['sort', 'sort_desc'])}(${inner()})`,
    ])()
  }

  /** What a date can be read from; nothing for the time of the step. */
  #time(): string {
    const offset = Math.floor(this.#random() * 1e9)
    return this.#pick([
      () => '',
      () => this.#timestamp(() => this.#selector(close)),
      () => `vector(time() - ${offset})`,
      () => `${this.#selectorOf(words.distinctNames)} * ${this.#pick(['1e3', '1', '-1e5'])}`,
    ])()
  }

  /** Of a selector with both, 2.42 forgets the offset beside `@`. */
  #timestamp(generate: () => string): string {
    return `timestamp(${this.#shiftedBy(words.singleShifts, generate)})`
  }

  #mathematics(depth: number): string {
    return this.#pick([
      () => `${this.#pick(['ln', 'log2', 'log10', 'sqrt', 'exp', 'atan', 'tanh', 'asinh', 'deg', 'rad'])}(${this.#vector(depth, close)})`,
      () => `${this.#pick(['sin', 'cos', 'tan'])}(${this.#selectorOf(words.distinctNames)})`,
      // Go's are infinite a little too early.
      () => `${this.#pick(['sinh', 'cosh'])}(${this.#selectorOf(words.distinctNames)} % 700)`,
      () => `${this.#pick(['asin', 'acos', 'acosh', 'atanh'])}(${this.#vector(depth, exact)})`,
    ])()
  }

  #exactAggregation(depth: number, want: Want): string {
    return this.#pick([
      () => this.#aggregation(this.#pick(['min', 'max']), '', this.#vector(depth, want)),
      () => this.#aggregation(this.#pick(['count', 'group']), '', this.#vector(depth, close)),
      () => this.#quantile(depth, want, (quantile, left) => this.#aggregation('quantile', `${quantile}, `, this.#vector(left, want))),
      () => this.#aggregation('count_values', `"${this.#pick(['value', 'job', 'le'])}", `, this.#vector(depth, exact)),
    ])()
  }

  #quantile(depth: number, { isFinite }: Want, generate: (quantile: string, depth: number) => string): string {
    if (isFinite) return generate(this.#pick(words.quantiles), depth)
    // Which of 0 and -0 is in front is left to the sorting: 0 comes out of both.
    if (this.#chance(0.85)) return `(${generate(this.#pick(words.wildQuantiles), depth)} + 0)`
    // Where all but the parameter is the same at every step, 2.42 takes the whole for the same.
    const quantile = `${this.#pick(['scalar(flat{job="a",instance="i0"})', 'time() % 5'])} / 4`
    return `(${this.#shiftedBy(words.offsets, () => generate(quantile, 0))} + 0)`
  }

  #closeAggregation(depth: number, want: Want): string {
    // A sum of what is close to it may leave less than what it is off by.
    const inner: Want = { ...want, precision: want.precision === 'close' ? 'exact' : want.precision }
    // The sum of nothing but -0 is -0 in 2.42 alone: 0 comes out of both.
    if (this.#chance(0.7)) return `(${this.#aggregation(this.#pick(['sum', 'avg']), '', this.#vector(depth, inner))} + 0)`
    // Large values that are nearly the same have a variance of rounding alone: nothing that grows with the time.
    const spread = this.#pick([
      () => this.#selector({ precision: 'exact', isFinite: true }),
      () => this.#exactOverTime(0, { precision: 'exact', isFinite: true }),
    ])()
    return this.#aggregation(this.#pick(['stddev', 'stdvar']), '', spread)
  }

  #aggregation(operator: string, parameter: string, expression: string): string {
    const grouping = this.#pick(words.groupings)
    const args = `(${parameter}${expression})`
    return this.#chance(0.2) ? `${operator}${args}${grouping}` : `${operator}${grouping}${grouping === '' ? '' : ' '}${args}`
  }

  #chosen(depth: number, { precision, isFinite }: Want): string {
    const operator = this.#pick(['topk', 'bottomk'])
    const selector = this.#selectorOf(words.distinctNames)
    // Of equal values those of a selector alone: series that 2.42 has computed come in any order.
    // Newer ones give a head's series in the order in which they came.
    const tiedNames = this.#new === undefined ? ['flat', ...(isFinite ? [] : ['special'])] : []
    const tied = this.#selectorOf([...words.distinctNames, ...tiedNames])
    const productions = [() => tied + this.#shift(), () => `-${tied}`, () => `${selector} * 3`]
    if (precision !== 'exact') {
      productions.push(
        () => `avg_over_time(${selector}[${this.#pick(words.windows)}])`,
        () => `rate(c_total[${this.#pick(words.windows)}])`,
      )
    }
    const input = this.#pick(productions)
    // In a parameter of an aggregation 2.42 lets a pinned time move on with the steps.
    if (this.#chance(0.8)) return this.#aggregation(operator, `${this.#pick(words.counts)}, `, input())
    return this.#shiftedBy(words.offsets, () => {
      return this.#aggregation(operator, `scalar(count(${this.#vector(depth, close)})), `, input())
    })
  }

  #labelled(depth: number, want: Want): string {
    const inner = this.#vector(depth, want)
    if (this.#chance(0.6)) return `label_replace(${inner}, ${this.#pick(words.labelReplacements)})`
    return `label_join(${inner}, ${this.#pick(words.labelJoins)})`
  }

  /** Of several matchers of one label the order counts, which 2.42 leaves as it is written. */
  #absent(depth: number): string {
    for (;;) {
      const query = this.#chance(0.5) ? `absent(${this.#vector(depth, close)})` : `absent_over_time(${this.#range(depth, close)})`
      if (!asksTwiceForALabel(query)) return query
    }
  }

  #histogramQuantile(depth: number): string {
    const buckets = this.#selectorOf(['h_bucket'])
    const ranged = `${buckets}[${this.#pick(words.windows)}]${this.#shift()}`
    const input = this.#pick([
      () => buckets + this.#shift(),
      () => `${this.#pick(['rate', 'increase'])}(${ranged})`,
      () => `sum by (le${this.#pick([', job', ''])}) (${this.#pick(['rate', 'increase', 'delta'])}(${ranged}))`,
      () => `sum without (job) (${buckets})`,
      () => this.#vector(depth, exact),
    ])()
    return `histogram_quantile(${this.#pick(words.wildQuantiles)}, ${input})`
  }

  #scalar(depth: number, want: Want): string {
    const inner = depth - 1
    const productions = [() => this.#pick(words.finiteNumbers), () => 'time()', () => 'pi()']
    if (!want.isFinite) {
      if (this.#new !== undefined) productions.push(() => this.#new!.scalar())
      productions.push(() => this.#pick(words.numbers))
      if (depth > 0) {
        const operand = (): string => this.#scalar(inner, { ...want, precision: want.precision === 'rough' ? 'close' : want.precision })
        productions.push(
          () => `scalar(${this.#vector(inner, want)})`,
          () => `(${operand()} ${this.#pick(['*', '/'])} ${operand()})`,
          () => `(${this.#scalar(inner, exact)} ${this.#pick([...words.arithmetic, '%'])} ${this.#scalar(inner, exact)})`,
          () => `(${this.#scalar(inner, exact)} ${this.#pick(words.comparisons)} bool ${this.#scalar(inner, exact)})`,
          () => `-${this.#scalar(0, want)}`,
        )
      }
    }
    return this.#pick(productions)()
  }

  #scalarOperation(depth: number, want: Want): string {
    const { precision, isFinite } = want
    const exactly: Want = { ...want, precision: 'exact' }
    const close: Want = { ...want, precision: precision === 'rough' ? 'close' : precision }
    const productions = [
      () => this.#bySide(`(${this.#vector(depth, exactly)})`, this.#pick(['+', '-', '*']), this.#pick(words.finiteNumbers)),
      () => `(${this.#vector(depth, exactly)}) ${this.#pick(words.comparisons)} ${this.#pick(words.numbers)}`,
      () => `(${this.#vector(depth, exact)}) ${this.#pick(words.comparisons)} bool ${this.#scalar(depth, exact)}`,
      () => `(${this.#vector(depth, close)}) ${this.#pick(words.comparisons)} ${this.#pick(words.oddNumbers)}`,
      () => `${this.#pick(words.oddNumbers)} ${this.#pick(words.comparisons)} bool (${this.#vector(depth, close)})`,
      () => `(${this.#vector(depth, close)}) ${this.#pick(['*', '/'])} ${this.#pick(words.finiteNumbers)}`,
    ]
    if (!isFinite) {
      productions.push(
        () => this.#bySide(`(${this.#vector(depth, close)})`, this.#pick(['*', '/']), this.#scalar(depth, close)),
        () => this.#bySide(`(${this.#vector(depth, exactly)})`, '%', this.#scalar(depth, exactly)),
      )
      if (precision !== 'exact') {
        productions.push(
          () => this.#bySide(`(${this.#selector(exact)})`, '^', '1.5'),
          () => nameless(this.#bySide(`(${this.#selector(exact)})`, 'atan2', '1.5')),
        )
      }
    }
    if (precision === 'rough') {
      productions.push(() => this.#bySide(`(${this.#vector(depth, rough)})`, this.#pick(['+', '-']), this.#scalar(depth, close)))
    }
    return this.#pick(productions)()
  }

  #bySide(vector: string, operator: string, scalar: string): string {
    return this.#chance(0.5) ? `${vector} ${operator} ${scalar}` : `${scalar} ${operator} ${vector}`
  }

  /** Operators between two vectors. */
  #matched(depth: number, want: Want): string {
    const [operator, operands] = this.#operatorBetween(want)
    // Two matches of which a comparison filters one away are an error in 3 alone: none are made.
    const losing = words.comparisons.includes(operator) ? [''] : ['on () ', 'ignoring (job) ']
    const side = () => this.#vector(depth, operands)
    const grouped = (labels: string) => `${this.#pick(['min', 'max'])} by (${labels}) (${side()})`
    const one = this.#chance(0.5) ? 'info' : grouped('job')
    const include = this.#pick(['', ' (version)', ' (version, odd)', ' ()'])
    const selector = () => this.#selectorOf(['c_total', 'g', 'sparse', 'ending', 'late']) + this.#shift()
    const text = this.#pick([
      () => `${selector()} ${operator} ${selector()}`,
      () => `${selector()} ${operator} ${this.#pick(['on (job, instance)', 'ignoring (zone)', 'ignoring (nothing)'])} ${selector()}`,
      () =>
        `${grouped('job, instance')} ${operator} ${this.#pick(['', 'on (job, instance) ', 'ignoring (le) '])}${grouped('job, instance')}`,
      () => `(${side()}) ${operator} on (job) group_left${include} ${one}`,
      // What begins with a parenthesis there would be read as labels.
      () => `${one} ${operator} on (job) group_right${include || ' ()'} (${side()})`,
      () => `(${side()}) ${operator} ignoring (instance, zone, le, version) group_left${include} ${one}`,
      () => `(${side()}) ${operator} ${this.#pick(['', 'on (job, instance) group_right () ', ...losing])}(${side()})`,
    ])()
    return operator === 'atan2' ? nameless(text) : text
  }

  /** With `bool` or without, and what its operands must be. */
  #operatorBetween(want: Want): readonly [string, Want] {
    const { precision, isFinite } = want
    const exactly: Want = { ...want, precision: 'exact' }
    const choices: (readonly [readonly string[], Want])[] = [
      [['+', '-', '*'], exactly],
      [words.comparisons, exactly],
      [words.comparisons.map((operator) => `${operator} bool`), exact],
    ]
    if (!isFinite) choices.push([['/', '%'], exactly])
    if (precision !== 'exact' && !isFinite) choices.push([['*', '/'], close], [['^', 'atan2'], exact])
    if (precision === 'rough') choices.push([['+', '-'], rough])
    const [operators, operands] = this.#pick(choices)
    return [this.#pick(operators), operands]
  }

  #setOperation(depth: number, want: Want): string {
    const matching = this.#pick(['', '', ' on (instance)', ' ignoring (job)', ' on (job)', ' on ()', ' ignoring (le, zone)'])
    const operator = this.#pick(['and', 'or', 'unless'])
    const text = `(${this.#vector(depth, want)}) ${operator}${matching} (${this.#vector(depth, want)})`
    // Series of several names that are there one after another are the same to a function of a range in 3, and an error in 2.42.
    return operator === 'or' && this.#isInRange ? `label_replace(${text}, "__name__", "united", "", "")` : text
  }
}

/** After atan2 the name of a metric stays in 2.42. */
function nameless(expression: string): string {
  return `abs(${expression})`
}

function asksTwiceForALabel(query: string): boolean {
  return [...query.matchAll(/\{([^}]*)\}/g)].some(([, matchers]) => {
    const names = [...matchers!.matchAll(/(\w+)\s*[=!]/g)].map(([, name]) => name)
    return new Set(names).size < names.length
  })
}
