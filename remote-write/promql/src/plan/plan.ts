import type { Matcher } from '@narthex/model/matcher'
import type { BinaryOperator, Span, ValueType, VectorMatching } from '../parse/ast.ts'
import type { AggregationType } from '../parse/token.ts'

/** The instants an expression is evaluated at: startMs, startMs + stepMs, … (`steps` of them, at least one). */
export interface StepGrid {
  readonly startMs: number
  readonly stepMs: number
  readonly steps: number
  /**
   * To which steps of the query the samples count that are looked at here. Default: each to its own. `all`: what one step stands for all of them looks at; `last`:
   * those inside of a subquery that is the query; `none`: those inside of any other, whose function counts what it makes of them.
   */
  readonly counting?: 'all' | 'last' | 'none' | undefined
}

export function timeOfStep(grid: StepGrid, step: number): number {
  return grid.startMs + step * grid.stepMs
}

/** What every node of a plan says: where it stands in the query, without parentheses around it, and whether it is the same at every step. */
interface PlanBase {
  readonly span: Span
  readonly type: ValueType
  /** The same at every step: evaluated at one and spread over the others. */
  readonly invariant: boolean
  /** Set where the query has the same part more than once. */
  readonly shared?: Sharing
}

/** Parts of one number are equal but for their places in the text: the first that is evaluated keeps its series for the others. */
export interface Sharing {
  readonly number: number
  /** How many parts there are. */
  readonly uses: number
}

/** An expression with all durations, times and defaults settled. The text matters for the places in it that remarks name, and for nothing else. */
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
  /** As written. */
  readonly matchers: readonly Matcher[]
  /** '' if the name is not fixed. */
  readonly name: string
  readonly shift: Shift
  readonly smoothed: boolean
  /** Of histograms no more than count and sum is asked for. */
  readonly statisticsOnly: boolean
  readonly scan: Scan
}

/** What the storage is asked for. */
export interface Scan {
  /** undefined: no series can match them all, so it is not asked. */
  readonly matchers: readonly Matcher[] | undefined
  /** Nothing that is made of the series depends on their order. */
  readonly anyOrder: boolean
  /** The labels that anything looks at; undefined: all of them. */
  readonly labels: readonly string[] | undefined
}

/** Everything, in the order of labels. */
export function wholeScan(matchers: readonly Matcher[]): Scan {
  return { matchers, anyOrder: false, labels: undefined }
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
  /** What takes its series does not mind if one of them comes in parts, each with other steps. */
  readonly mayComeInParts?: boolean
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
