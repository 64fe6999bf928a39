import type { Matcher } from '@narthex/model/matcher'
import type { FunctionSignature } from './functions.ts'
import type { AggregationType } from './token.ts'

/** Where a node stands in the text, in UTF-16 units; `end` is exclusive. */
export interface Span {
  readonly start: number
  readonly end: number
}

export type ValueType = 'scalar' | 'vector' | 'matrix' | 'string'

export type BinaryOperator =
  '+' | '-' | '*' | '/' | '%' | '^' | 'atan2' | '==' | '!=' | '<=' | '<' | '>=' | '>' | '</' | '>/' | 'and' | 'or' | 'unless'

export type Expression =
  NumberLiteral | StringLiteral | VectorSelector | MatrixSelector | Subquery | Call | Aggregation | Binary | Unary | Paren

export interface NumberLiteral extends Span {
  readonly kind: 'number'
  readonly value: number
  /** Written as a duration (`5m`), and printed so. */
  readonly isDuration: boolean
}

export interface StringLiteral extends Span {
  readonly kind: 'string'
  readonly value: string
}

/** `offset` and `@`, of a selector or a subquery; an expression, if any, takes the place of the number beside it. */
export interface TimeShift {
  readonly offsetMs: number
  readonly offsetExpression?: DurationExpression
  readonly atMs?: number
  readonly atPreprocessor?: 'start' | 'end'
}

export interface VectorSelector extends Span, TimeShift {
  readonly kind: 'vectorSelector'
  /** '' if only braces were written. */
  readonly name: string
  /** All matchers in the order written; that of `name` comes last. */
  readonly matchers: readonly Matcher[]
  readonly anchored: boolean
  readonly smoothed: boolean
}

export interface MatrixSelector extends Span {
  readonly kind: 'matrixSelector'
  /** Carries offset, @, anchored and smoothed of the whole selector. */
  readonly vector: VectorSelector
  readonly rangeMs: number
  readonly rangeExpression?: DurationExpression
}

export interface Subquery extends Span, TimeShift {
  readonly kind: 'subquery'
  readonly expression: Expression
  readonly rangeMs: number
  readonly rangeExpression?: DurationExpression
  /** 0: the default interval. */
  readonly stepMs: number
  readonly stepExpression?: DurationExpression
}

export interface Call extends Span {
  readonly kind: 'call'
  readonly function: FunctionSignature
  readonly args: readonly Expression[]
}

export interface Aggregation extends Span {
  readonly kind: 'aggregation'
  readonly operator: AggregationType
  readonly expression: Expression
  readonly parameter?: Expression
  readonly grouping: readonly string[]
  readonly without: boolean
}

export type MatchCardinality = 'one-to-one' | 'many-to-one' | 'one-to-many' | 'many-to-many'

export interface VectorMatching {
  readonly cardinality: MatchCardinality
  readonly on: boolean
  readonly labels: readonly string[]
  /** Labels of the "one" side that the result takes over. */
  readonly include: readonly string[]
  readonly fillLeft?: number
  readonly fillRight?: number
}

export interface Binary extends Span {
  readonly kind: 'binary'
  readonly operator: BinaryOperator
  readonly left: Expression
  readonly right: Expression
  readonly returnBool: boolean
  /** Only between two vectors. */
  readonly matching?: VectorMatching
}

export interface Unary extends Span {
  readonly kind: 'unary'
  readonly operator: '+' | '-'
  readonly expression: Expression
}

export interface Paren extends Span {
  readonly kind: 'paren'
  readonly expression: Expression
}

/** Durations computed in `[…]` and `offset …`; all values in seconds. */
export type DurationExpression =
  | (Span & { readonly kind: 'number'; readonly value: number; readonly isDuration: boolean })
  | (Span & { readonly kind: 'unary'; readonly operator: '+' | '-'; readonly expression: DurationExpression })
  | (Span & {
      readonly kind: 'binary'
      readonly operator: '+' | '-' | '*' | '/' | '%' | '^'
      readonly left: DurationExpression
      readonly right: DurationExpression
    })
  | (Span & { readonly kind: 'call'; readonly name: 'step' | 'range' | 'min_of' | 'max_of'; readonly args: readonly DurationExpression[] })
  | (Span & { readonly kind: 'paren'; readonly expression: DurationExpression })

const comparisons: ReadonlySet<string> = new Set<BinaryOperator>(['==', '!=', '<=', '<', '>=', '>'])

export function isComparison(operator: BinaryOperator): boolean {
  return comparisons.has(operator)
}

export function isSetOperator(operator: BinaryOperator): boolean {
  return operator === 'and' || operator === 'or' || operator === 'unless'
}

/** Type of an expression that has been checked. */
export function typeOf(expression: Expression): ValueType {
  switch (expression.kind) {
    case 'number':
      return 'scalar'
    case 'string':
      return 'string'
    case 'vectorSelector':
    case 'aggregation':
      return 'vector'
    case 'matrixSelector':
    case 'subquery':
      return 'matrix'
    case 'call':
      return expression.function.returns
    case 'binary':
      // Checked, it has a matching exactly if both sides are vectors: this spares walking down long chains again and again.
      if (expression.matching !== undefined) return 'vector'
      return typeOf(expression.left) === 'scalar' && typeOf(expression.right) === 'scalar' ? 'scalar' : 'vector'
    case 'unary':
    case 'paren':
      return typeOf(expression.expression)
  }
}

/** The expression inside any number of parentheses. */
export function unwrapParens(expression: Expression): Expression {
  let inner = expression
  while (inner.kind === 'paren') inner = inner.expression
  return inner
}

/** What Prometheus calls a type in error texts. */
export function documentedType(type: ValueType): string {
  return type === 'vector' ? 'instant vector' : type === 'matrix' ? 'range vector' : type
}
