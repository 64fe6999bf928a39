import { QueryError } from '../query-error.ts'
import type { DurationExpression, Expression, TimeShift, VectorSelector } from '../parse/ast.ts'
import { typeOf, unwrapParens } from '../parse/ast.ts'
import { DurationError, evaluateDuration } from '../parse/duration-value.ts'
import { formatPosition } from '../parse/parse-error.ts'
import type { Plan, SelectorPlan, Shift } from './plan.ts'
import { wholeScan } from './plan.ts'

export interface PlanScope {
  readonly text: string
  readonly startMs: number
  readonly endMs: number
  /** 0 for an instant query. */
  readonly stepMs: number
  readonly subqueryStepMs: number
}

/** Functions that treat a selector otherwise than any other vector. */
const looksAtSelector: ReadonlySet<string> = new Set(['absent', 'start_timestamp', 'timestamp'])

/** Settles durations, `@` and defaults of a checked expression, and nothing else. Throws QueryError for durations that come out wrong. */
export function makePlan(expression: Expression, scope: PlanScope): Plan {
  const { start, end } = expression
  const span = { start, end }
  const invariant = false
  switch (expression.kind) {
    case 'number':
      return { kind: 'number', value: expression.value, span, type: 'scalar', invariant }
    case 'string':
      return { kind: 'text', value: expression.value, span, type: 'string', invariant }
    case 'paren':
      return { ...makePlan(expression.expression, scope), outerSpan: span }
    case 'vectorSelector':
      return planSelector(expression, scope)
    case 'matrixSelector': {
      const { vector } = expression
      const selector = planSelector(vector, scope)
      const mode = vector.anchored ? 'anchored' : vector.smoothed ? 'smoothed' : 'plain'
      const rangeMs = settle(expression.rangeExpression, expression.rangeMs, scope, true)
      return { kind: 'window', selector, rangeMs, mode, span, type: 'matrix', invariant }
    }
    case 'subquery': {
      const shift = planShift(expression, scope)
      const rangeMs = settle(expression.rangeExpression, expression.rangeMs, scope, true)
      const written = settle(expression.stepExpression, expression.stepMs, scope, expression.stepExpression !== undefined)
      const stepMs = written === 0 ? scope.subqueryStepMs : written
      const input = makePlan(expression.expression, scope)
      return { kind: 'subquery', input, rangeMs, stepMs, shift, span, type: 'matrix', invariant }
    }
    case 'unary': {
      const input = makePlan(expression.expression, scope)
      if (expression.operator === '+') return input
      return { kind: 'negation', input, span, type: input.type, invariant }
    }
    case 'call': {
      const { name, returns } = expression.function
      const args = expression.args.map((argument) => {
        const arg = makePlan(argument, scope)
        return looksAtSelector.has(name) && unwrapParens(argument).kind === 'unary' ? asValue(arg) : arg
      })
      return { kind: 'call', name, args, span, type: returns, invariant }
    }
    case 'aggregation': {
      const { operator, grouping, without } = expression
      const input = makePlan(expression.expression, scope)
      const parameter = expression.parameter === undefined ? undefined : makePlan(expression.parameter, scope)
      return { kind: 'aggregation', operator, input, parameter, grouping, without, span, type: 'vector', invariant }
    }
    case 'binary': {
      const left = makePlan(expression.left, scope)
      const right = makePlan(expression.right, scope)
      const { operator, returnBool, matching } = expression
      return { kind: 'binary', operator, left, right, returnBool, matching, span, type: typeOf(expression), invariant }
    }
  }
}

/** Behind a plus a selector is a vector like others; nothing but its values is left of it. */
function asValue(plan: Plan): Plan {
  if (plan.kind !== 'selector') return plan
  const { span, type, invariant } = plan
  const negated: Plan = { kind: 'negation', input: plan, span, type, invariant }
  return { kind: 'negation', input: negated, span, type, invariant }
}

function planSelector(selector: VectorSelector, scope: PlanScope): SelectorPlan {
  const { start, end, matchers, smoothed } = selector
  const shift = planShift(selector, scope)
  const fixed = matchers.find(({ name, type }) => name === '__name__' && type === '=')
  const name = selector.name === '' ? (fixed?.value ?? '') : selector.name
  const span = { start, end }
  return { kind: 'selector', matchers, name, shift, smoothed, scan: wholeScan(matchers), span, type: 'vector', invariant: false }
}

function planShift(shift: TimeShift, scope: PlanScope): Shift {
  const offsetMs = settle(shift.offsetExpression, shift.offsetMs, scope, false)
  if (shift.atPreprocessor === undefined) return { offsetMs, atMs: shift.atMs }
  return { offsetMs, atMs: shift.atPreprocessor === 'start' ? scope.startMs : scope.endMs }
}

/** Milliseconds of a duration expression, or the literal beside it. */
function settle(expression: DurationExpression | undefined, literalMs: number, scope: PlanScope, mustBePositive: boolean): number {
  if (expression === undefined) return literalMs
  const fail = (reason: string, offset: number) =>
    new QueryError('execution', `${formatPosition(scope.text, offset)}: parse error: ${reason}`)
  let seconds: number
  try {
    const rangeSeconds = (scope.endMs - scope.startMs) / 1000
    seconds = evaluateDuration(expression, { stepSeconds: scope.stepMs / 1000, rangeSeconds })
  } catch (error) {
    if (error instanceof DurationError) throw fail(error.message, error.offset)
    throw error
  }
  if (mustBePositive && !(seconds > 0)) throw fail('duration must be greater than 0', expression.start)
  if (!(Math.abs(seconds) <= 9223372036)) throw fail('duration is out of range', expression.start)
  return Math.round(seconds * 1000)
}
