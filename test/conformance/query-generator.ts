/** A small seeded generator (mulberry32): the same seed gives the same queries. */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const selectors = [
  'c_total',
  'c_total{job="a"}',
  'c_total{job!="a",instance=~"i[0-2]"}',
  'g',
  'g{job=~"a|b"}',
  '{__name__="g",instance!~".*[34]"}',
  'sparse',
]
// What 2.42 computes otherwise is left out: rate() of series that begin inside the window, and predict_linear() of a pinned range.
const steadySelectors = selectors.slice(0, 6)
const countedSelectors = selectors.slice(0, 3)
const windows = ['2m', '5m', '11m', '90s', '1h']
const rangeFunctions = ['delta', 'irate', 'idelta', 'deriv', 'resets', 'changes', 'avg_over_time', 'sum_over_time', 'min_over_time'].concat(
  ['max_over_time', 'count_over_time', 'last_over_time', 'stddev_over_time', 'stdvar_over_time', 'present_over_time'],
)
// Wide of any whole multiple of a step, so that no step of a subquery lies on an edge.
const subqueryWindows = ['131777ms', '311777ms', '671777ms']
const vectorFunctions = ['abs', 'sqrt', 'ln', 'atan', 'timestamp', '-']
// Where rounding decides, or 2.42 treats NaN otherwise, only raw values will do.
const rawFunctions = [
  'ceil',
  'floor',
  'round',
  'sgn',
  'sin',
  'stddev by (job) ',
  'stdvar by (instance) ',
  'hour(timestamp',
  'day_of_year(timestamp',
]
const aggregations = ['sum', 'avg', 'min', 'max', 'count', 'group']
const groupings = ['', ' by (job)', ' by (instance)', ' without (job)', ' by (job, instance)', ' by (nothing)']
const arithmetic = ['+', '-', '*', '/']
const comparisons = ['==', '!=', '<', '<=', '>', '>=']

/**
 * A query that Prometheus 2.42 and 3 must answer alike over the data of the differential test, apart from rounding.
 * `depth` bounds the nesting.
 */
export function generateQuery(random: () => number, depth = 3): string {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  const shift = (): string => pick(['', '', '', ' offset 7m', ' offset -3m', ' @ end()', ' @ start() offset 2m'])
  const number = (): string => pick(['0.5', '2', '100', '-3', '1e3', 'scalar(sum(g))', 'time() / 1e9'])

  function ranged(level: number): string {
    if (level > 0 && random() < 0.25) return `${vector(level - 1)}[${pick(subqueryWindows)}:${pick(['30s', '1m', '95s'])}]${shift()}`
    return `${pick(selectors)}[${pick(windows)}]${shift()}`
  }

  function steadyRange(): string {
    return `${pick(steadySelectors)}[${pick(windows)}]`
  }

  function vector(level: number): string {
    if (level <= 0) return pick(selectors) + shift()
    switch (Math.floor(random() * 13)) {
      case 0:
        return pick(selectors) + shift()
      case 1:
        return `${pick(['rate', 'increase'])}(${steadyRange()}${shift()})`
      case 2:
      case 3:
        return `${pick(rangeFunctions)}(${ranged(level)})`
      case 4:
        return pick([
          `quantile_over_time(0.${Math.floor(random() * 10)}, ${ranged(level)})`,
          `predict_linear(${steadyRange()} offset 1m, 600)`,
        ])
      case 5:
        return pick([
          `absent(${vector(level - 1)})`,
          `vector(${number()})`,
          `clamp(${vector(level - 1)}, -5, 50)`,
          `clamp_min(${vector(level - 1)}, 3)`,
        ])
      case 6:
        return `${pick(vectorFunctions)}(${vector(level - 1)})`
      case 7:
      case 8:
        return `${pick(aggregations)}${pick(groupings)} (${vector(level - 1)})`
      case 9:
        return pick([
          // Values that tie would be chosen from by chance.
          `topk${pick(groupings)} (2, ${pick(countedSelectors)})`,
          `bottomk${pick(groupings)} (1, ${pick(countedSelectors)})`,
          `quantile${pick(groupings)} (0.${Math.floor(random() * 10)}, ${vector(level - 1)})`,
          `label_replace(${vector(level - 1)}, "copy", "x-$1", "instance", "i(.*)")`,
          `label_join(${vector(level - 1)}, "both", "/", "job", "instance")`,
          `histogram_quantile(0.${1 + Math.floor(random() * 9)}, sum by (le${pick([', job', ''])}) (rate(h_bucket[${pick(windows)}])))`,
        ])
      case 10: {
        const name = pick(rawFunctions)
        const closing = name.includes('(timestamp') ? '))' : ')'
        return `${name}(${pick(selectors)}${closing}`
      }
      default:
        return binary(level)
    }
  }

  function binary(level: number): string {
    const left = vector(level - 1)
    switch (Math.floor(random() * 6)) {
      case 0:
        return pick([
          `(${left}) ${pick(arithmetic)} ${number()}`,
          `${pick(selectors)} % ${number()}`,
          `${pick(selectors)} ^ ${pick(['2', '-1', '0.5'])}`,
        ])
      case 1:
        return `${number()} ${pick(arithmetic)} (${left})`
      case 2:
        return `(${left}) ${pick(comparisons)}${pick(['', ' bool'])} ${number()}`
      case 3:
        return `sum by (job, instance) (${left}) ${pick(arithmetic)} on (job, instance) avg by (job, instance) (${vector(level - 1)})`
      case 4:
        return `sum by (job, instance) (${left}) ${pick([...arithmetic, ...comparisons])} on (job) group_left () count by (job) (${vector(level - 1)})`
      default:
        return `(${left}) ${pick(['and', 'or', 'unless'])}${pick(['', ' on (instance)', ' ignoring (job)'])} (${vector(level - 1)})`
    }
  }

  return vector(depth)
}
