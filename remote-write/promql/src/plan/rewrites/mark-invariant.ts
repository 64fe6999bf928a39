import { mapParts, partsOf } from '../map-plan.ts'
import type { Plan } from '../plan.ts'

// Functions whose result depends on the time of the step although their arguments do not.
const timeDependent: ReadonlySet<string> = new Set([
  'day_of_month',
  'day_of_week',
  'day_of_year',
  'days_in_month',
  'hour',
  'minute',
  'month',
  'predict_linear',
  'time',
  'timestamp',
  'year',
])

/** Marks what is the same at every step, as all that stands under an `@`: it is evaluated once. */
export function markInvariant(plan: Plan): Plan {
  const marked = mapParts(plan, markInvariant)
  const invariant = isInvariant(marked)
  return invariant === marked.invariant ? marked : { ...marked, invariant }
}

/** Of a plan whose parts are marked. */
function isInvariant(plan: Plan): boolean {
  switch (plan.kind) {
    case 'selector':
    case 'subquery':
      return plan.shift.atMs !== undefined
    case 'call':
      // That of a sample that is pinned does not depend on the step.
      if (plan.name === 'timestamp' && plan.args[0]!.kind === 'selector') return plan.args[0]!.invariant
      return !timeDependent.has(plan.name) && plan.args.every((argument) => argument.invariant)
    default:
      return partsOf(plan).every((part) => part.invariant)
  }
}
