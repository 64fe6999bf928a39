import { rangeFunctions } from '../../functions/range-functions.ts'
import { mapParts } from '../map-plan.ts'
import type { Plan } from '../plan.ts'

/** Aggregations that take in series after series, and each step of a series by itself. */
const stepwise = new Set(['sum', 'avg', 'count', 'min', 'max', 'group', 'stddev', 'stdvar'])

/**
 * Lets functions over ranges below `sum by (job) (…)` give series that became the same without their names as they come: they need not be kept until the
 * last one, in case another is the rest of an earlier one.
 */
export function allowParts(plan: Plan): Plan {
  const changed = mapParts(plan, allowParts)
  if (changed.kind !== 'aggregation' || !stepwise.has(changed.operator)) return changed
  const { input } = changed
  // Who shares it may mind.
  if (input.kind !== 'call' || input.shared !== undefined || !rangeFunctions.has(input.name)) return changed
  return { ...changed, input: { ...input, mayComeInParts: true } }
}
