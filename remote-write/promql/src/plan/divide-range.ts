import { partsOf } from './map-plan.ts'
import type { Plan, StepGrid } from './plan.ts'

/** A part with fewer steps costs more than it saves. */
const stepsMin = 16

/** How the steps of a range query may be divided into parts that are evaluated apart. */
export interface Divisibility {
  /** Parts of two steps and more remark on what the whole remarks on. */
  readonly isPossible: boolean
  /** Into more parts than this it is not worth it. */
  readonly partsMax: number
  /** How long before its first step the samples of a part begin, offsets aside. */
  readonly reachMs: number
}

/** Each part is to span twice the time that its first step looks back, so that little of the storage is read twice. */
export function divisibilityOf(plan: Plan, { steps, stepMs }: StepGrid, lookbackMs: number): Divisibility {
  const reachMs = reachOf(plan, lookbackMs)
  // What is the same at every step is evaluated once, and what reads nothing takes no time.
  const isWorthIt = !plan.invariant && reachMs > 0
  const isPossible = !hasVaryingParameter(plan)
  const partsMax = isWorthIt && isPossible ? Math.min(Math.floor(steps / stepsMin), Math.floor((steps * stepMs) / (2 * reachMs))) : 1
  return { isPossible, partsMax: Math.max(1, partsMax), reachMs }
}

/** Of the values that a parameter takes an aggregation remarks on the greatest and the least, which are others in a part of the steps. */
function hasVaryingParameter(plan: Plan): boolean {
  if (plan.kind === 'aggregation' && plan.parameter !== undefined && !plan.parameter.invariant && !isLiteral(plan.parameter)) return true
  return partsOf(plan).some(hasVaryingParameter)
}

function isLiteral({ kind }: Plan): boolean {
  return kind === 'number' || kind === 'text'
}

/** 0 for what is the same at every step. */
function reachOf(plan: Plan, lookbackMs: number): number {
  if (plan.invariant) return 0
  if (plan.kind === 'selector') return lookbackMs
  if (plan.kind === 'window') return plan.rangeMs + (plan.mode === 'plain' ? 0 : lookbackMs)
  const reachMs = Math.max(0, ...partsOf(plan).map((part) => reachOf(part, lookbackMs)))
  return plan.kind === 'subquery' ? plan.rangeMs + reachMs : reachMs
}

/** The steps of part `index` of `count` parts, which read about as much: a later part reads `reachMs` of what the one before it has read as well. */
export function partOfGrid(grid: StepGrid, reachMs: number, index: number, count: number): StepGrid {
  const reach = grid.stepMs > 0 ? Math.min(reachMs / grid.stepMs, grid.steps / count / 2) : 0
  const each = (grid.steps + reach * (count - 1)) / count
  const beginOf = (part: number): number => (part === 0 ? 0 : part === count ? grid.steps : Math.round(part * (each - reach) + reach))
  const first = beginOf(index)
  return { ...grid, startMs: grid.startMs + first * grid.stepMs, steps: beginOf(index + 1) - first }
}
