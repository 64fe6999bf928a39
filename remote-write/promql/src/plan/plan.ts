import type { Matcher } from '@narthex/model/matcher'
import type { BinaryOperator, Span, ValueType, VectorMatching } from '../parse/ast.ts'
import type { AggregationType } from '../parse/token.ts'

/** The instants an expression is evaluated at: startMs, startMs + stepMs, … (`steps` of them, at least one). */
export interface StepGrid {
  readonly startMs: number
  readonly stepMs: number
  readonly steps: number
}

export function timeOfStep(grid: StepGrid, step: number): number {
  return grid.startMs + step * grid.stepMs
}

/** Where a part of a query stands for what it is a part of: remarks on an operand name its parentheses too. */
export function placeOf({ span, outerSpan }: PlanBase): Span {
  return outerSpan ?? span
}

/** What every node of a plan says: where it stands in the query, and whether it is the same at every step. */
interface PlanBase {
  readonly span: Span
  /** With the parentheses around it, if there are any. */
  readonly outerSpan?: Span
  readonly type: ValueType
  /** Evaluated at one step and spread over the others. */
  readonly invariant: boolean
}

/** An expression with all durations, times and defaults settled; nothing in it depends on the text any more. */
export type Plan = NumberPlan | TextPlan | SelectorPlan | WindowPlan | SubqueryPlan | CallPlan | AggregationPlan | BinaryPlan | NegationPlan

export interface NumberPlan extends PlanBase {
  readonly kind: 'number'
  readonly value: number
}

export interface TextPlan extends PlanBase {
  readonly kind: 'text'
  readonly value: string
}

/** Which moment data is read at: `atMs` (or the step's time) minus `offsetMs`. */
export interface Shift {
  readonly offsetMs: number
  readonly atMs: number | undefined
}

export interface SelectorPlan extends PlanBase {
  readonly kind: 'selector'
  readonly matchers: readonly Matcher[]
  /** '' if the name is not fixed. */
  readonly name: string
  readonly shift: Shift
  readonly smoothed: boolean
  /** Nothing that is made of its series depends on their order. */
  readonly anyOrder: boolean
}

export interface WindowPlan extends PlanBase {
  readonly kind: 'window'
  readonly selector: SelectorPlan
  readonly rangeMs: number
  readonly mode: 'plain' | 'anchored' | 'smoothed'
}

export interface SubqueryPlan extends PlanBase {
  readonly kind: 'subquery'
  readonly input: Plan
  readonly rangeMs: number
  readonly stepMs: number
  readonly shift: Shift
}

export interface CallPlan extends PlanBase {
  readonly kind: 'call'
  readonly name: string
  readonly args: readonly Plan[]
}

export interface AggregationPlan extends PlanBase {
  readonly kind: 'aggregation'
  readonly operator: AggregationType
  readonly input: Plan
  readonly parameter: Plan | undefined
  readonly grouping: readonly string[]
  readonly without: boolean
}

export interface BinaryPlan extends PlanBase {
  readonly kind: 'binary'
  readonly operator: BinaryOperator
  readonly left: Plan
  readonly right: Plan
  readonly returnBool: boolean
  readonly matching: VectorMatching | undefined
}

export interface NegationPlan extends PlanBase {
  readonly kind: 'negation'
  readonly input: Plan
}
