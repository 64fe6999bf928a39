import { dateFunctions } from '../../functions/dates.ts'
import { elementwiseFunctions } from '../../functions/elementwise.ts'
import { rangeFunctions } from '../../functions/range-functions.ts'
import { mapParts } from '../map-plan.ts'
import type { AggregationPlan, Plan } from '../plan.ts'

/** Those that keep series instead give them with all their labels. */
const grouping = new Set(['sum', 'avg', 'count', 'min', 'max', 'group', 'stddev', 'stdvar', 'quantile', 'count_values'])

/** What remarks name a series by. */
const namingLabels: readonly string[] = ['__name__', '__type__', '__unit__']

/**
 * Asks a scan below `sum by (job) (…)` for the labels of the groups alone, so that the storage need not look up the texts of the others. Only where
 * nothing in between looks at labels, or would find two series the same; not below `without`, which needs nearly all labels.
 */
export function projectLabels(plan: Plan): Plan {
  if (plan.kind !== 'aggregation' || plan.without || !grouping.has(plan.operator)) return mapParts(plan, projectLabels)
  const { input, parameter } = plan
  const projected = project(input, wantedLabels(plan)) ?? projectLabels(input)
  const settled = parameter === undefined ? undefined : projectLabels(parameter)
  return projected === input && settled === parameter ? plan : { ...plan, input: projected, parameter: settled }
}

function wantedLabels({ grouping: names, operator, input }: AggregationPlan): readonly string[] {
  // Sums of histograms that do not go together, and functions over ranges, make remarks.
  const makesRemarks = operator === 'sum' || operator === 'avg' || input.kind !== 'selector'
  return [...new Set(makesRemarks ? [...names, ...namingLabels] : names)]
}

/** The part with a scan of these labels; undefined if it needs others. */
function project(part: Plan, labels: readonly string[], dropsName = false): Plan | undefined {
  // Who shares it may want other labels.
  if (part.shared !== undefined) return undefined
  switch (part.kind) {
    case 'selector':
      // Without their names, series of several metrics may become the same, which is an error.
      if (dropsName && part.name === '') return undefined
      return { ...part, scan: { ...part.scan, labels } }
    case 'window': {
      const selector = project(part.selector, labels, dropsName)
      return selector?.kind === 'selector' ? { ...part, selector } : undefined
    }
    case 'negation': {
      const input = project(part.input, labels, true)
      return input && { ...part, input }
    }
    case 'call': {
      if (!isBlind(part.name)) return undefined
      const at = part.args.findIndex(({ type }) => type === 'vector' || type === 'matrix')
      const argument = at < 0 ? undefined : project(part.args[at]!, labels, true)
      return argument && { ...part, args: part.args.map((other, i) => (i === at ? argument : projectLabels(other))) }
    }
    case 'binary': {
      const { left, right } = part
      if (left.type === 'scalar') {
        const projected = project(right, labels, true)
        return projected && { ...part, left: projectLabels(left), right: projected }
      }
      const projected = right.type === 'scalar' ? project(left, labels, true) : undefined
      return projected && { ...part, left: projected, right: projectLabels(right) }
    }
    default:
      return undefined
  }
}

/** Functions that compute from values alone and leave labels, but for the name, as they are. */
function isBlind(name: string): boolean {
  return elementwiseFunctions.has(name) || rangeFunctions.has(name) || dateFunctions.has(name) || otherBlindFunctions.has(name)
}

const otherBlindFunctions = new Set([
  'clamp',
  'clamp_max',
  'clamp_min',
  'histogram_avg',
  'histogram_count',
  'histogram_stddev',
  'histogram_stdvar',
  'histogram_sum',
  'round',
  'timestamp',
])
