import type { Plan } from './plan.ts'
import { allowParts } from './rewrites/allow-parts.ts'
import { markInvariant } from './rewrites/mark-invariant.ts'
import { mergeMatchers } from './rewrites/merge-matchers.ts'
import { projectLabels } from './rewrites/project-labels.ts'
import { relaxOrder } from './rewrites/relax-order.ts'
import { shareParts } from './rewrites/share-parts.ts'

/** What the evaluation of a plan is about, apart from the plan. */
export interface RewriteScope {
  /** The result is put in the order of its labels at the end. */
  readonly isRange: boolean
}

/**
 * All rewrites. Each gives a plan with the same result. Order: equal parts are found before they are told apart by who takes their series; whether the
 * order of series and their labels matter depends on which parts are shared.
 */
export function rewritePlan(plan: Plan, { isRange }: RewriteScope): Plan {
  return projectLabels(relaxOrder(allowParts(shareParts(markInvariant(mergeMatchers(plan)), isRange)), isRange))
}
