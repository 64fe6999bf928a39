import { parseExpression } from '../parse/parse.ts'
import { makePlan } from '../plan/make-plan.ts'
import { partsOf } from '../plan/map-plan.ts'
import type { Plan, SelectorPlan } from '../plan/plan.ts'

/** The plan of a query over an hour from 0 on in steps of a minute, not rewritten. */
export function planOf(text: string): Plan {
  const expression = parseExpression(text, { experimentalFunctions: true })
  return makePlan(expression, { text, startMs: 0, endMs: 3_600_000, stepMs: 60_000, subqueryStepMs: 60_000 })
}

/** All parts of a plan, itself first, in the order in which they are written. */
export function allParts(plan: Plan): Plan[] {
  return [plan, ...partsOf(plan).flatMap(allParts)]
}

export function selectorsOf(plan: Plan): SelectorPlan[] {
  return allParts(plan).filter((part) => part.kind === 'selector')
}
