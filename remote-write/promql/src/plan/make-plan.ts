import { QueryError } from '../query-error.ts'
import type { DurationExpression, Expression, TimeShift, VectorSelector } from '../parse/ast.ts'
import { typeOf, unwrapParens } from '../parse/ast.ts'
import { DurationError, evaluateDuration, placeOfDuration } from '../parse/duration-value.ts'
import type { Plan, SelectorPlan, Shift } from './plan.ts'
import { wholeScan } from './plan.ts'

export interface PlanScope {
  readonly text: string
  readonly startMs: number
  readonly endMs: number
  /** 0 for an instant query. */
  readonly stepMs: number
  readonly subqueryStepMs: number
  /** Something around this place asks for no more than count and sum of histograms. */
  readonly asksForStatistics?: boolean
  /** Something around this place asks for their buckets. */
  readonly asksForBuckets?: boolean
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
      return makePlan(expression.expression, scope)
    case 'vectorSelector':
      return planSelector(expression, scope)
    case 'matrixSelector': {
      const { vector } = expression
      const mode = vector.anchored ? 'anchored' : vector.smoothed ? 'smoothed' : 'plain'
      const rangeMs = settle(expression.rangeExpression, expression.rangeMs, scope, true)
      const selector = planSelector(vector, scope)
      return { kind: 'window', selector, rangeMs, mode, span, type: 'matrix', invariant }
    }
    case 'subquery': {
      const shift = planShift(expression, scope)
      const written = settle(expression.stepExpression, expression.stepMs, scope, true)
      const rangeMs = settle(expression.rangeExpression, expression.rangeMs, scope, true)
      const stepMs = written === 0 ? scope.subqueryStepMs : written
      // Between the steps a counter may begin anew.
      const input = makePlan(expression.expression, { ...scope, asksForBuckets: true })
      return { kind: 'subquery', input, rangeMs, stepMs, shift, span, type: 'matrix', invariant }
    }
    case 'unary': {
      const input = makePlan(expression.expression, scope)
      if (expression.operator === '+') return input
      return { kind: 'negation', input, span, type: input.type, invariant }
    }
    case 'call': {
      const { name, returns } = expression.function
      const inner = scopeInCall(name, scope)
      const args = expression.args.map((argument) => {
        const arg = makePlan(argument, inner)
        return looksAtSelector.has(name) && unwrapParens(argument).kind === 'unary' ? asValue(arg) : arg
      })
      return { kind: 'call', name, args, span, type: returns, invariant }
    }
    case 'aggregation': {
      const { operator, grouping, without } = expression
      const inner = operator === 'count_values' ? { ...scope, asksForBuckets: true } : scope
      const input = makePlan(expression.expression, inner)
      const parameter = expression.parameter === undefined ? undefined : makePlan(expression.parameter, inner)
      return { kind: 'aggregation', operator, input, parameter, grouping, without, span, type: 'vector', invariant }
    }
    case 'binary': {
      const inner = looksAtBuckets.has(expression.operator) ? { ...scope, asksForBuckets: true } : scope
      const left = makePlan(expression.left, inner)
      const right = makePlan(expression.right, inner)
      const { operator, returnBool, matching } = expression
      return { kind: 'binary', operator, left, right, returnBool, matching, span, type: typeOf(expression), invariant }
    }
  }
}

const asksForStatistics: ReadonlySet<string> = new Set(['histogram_avg', 'histogram_count', 'histogram_sum'])
const asksForBuckets: ReadonlySet<string> = new Set([
  'changes',
  'histogram_fraction',
  'histogram_quantile',
  'histogram_quantiles',
  'histogram_stddev',
  'histogram_stdvar',
])
/** Operators that look at whole histograms. */
const looksAtBuckets: ReadonlySet<string> = new Set(['</', '>/', '==', '!='])

function scopeInCall(name: string, scope: PlanScope): PlanScope {
  if (asksForStatistics.has(name)) return { ...scope, asksForStatistics: true }
  return asksForBuckets.has(name) ? { ...scope, asksForBuckets: true } : scope
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
  const statisticsOnly = scope.asksForStatistics === true && scope.asksForBuckets !== true
  const scan = wholeScan(matchers)
  return { kind: 'selector', matchers, name, shift, smoothed, statisticsOnly, scan, span, type: 'vector', invariant: false }
}

function planShift(shift: TimeShift, scope: PlanScope): Shift {
  const offsetMs = settle(shift.offsetExpression, shift.offsetMs, scope, false)
  if (shift.atPreprocessor === undefined) return { offsetMs, atMs: shift.atMs }
  return { offsetMs, atMs: shift.atPreprocessor === 'start' ? scope.startMs : scope.endMs }
}

/** Milliseconds of a duration expression, or the literal beside it. */
function settle(expression: DurationExpression | undefined, literalMs: number, scope: PlanScope, mustBePositive: boolean): number {
  if (expression === undefined) return literalMs
  const rangeSeconds = (scope.endMs - scope.startMs) / 1000
  try {
    return toMilliseconds(evaluateDuration(expression, { stepSeconds: scope.stepMs / 1000, rangeSeconds }), expression, mustBePositive)
  } catch (error) {
    if (!(error instanceof DurationError)) throw error
    const [start, end] = [error.span.start, error.span.end].map((at) => new TextEncoder().encode(scope.text.slice(0, at)).length)
    throw new QueryError('bad_data', `${start}:${end}: ${error.message}`)
  }
}

/** Go's time.Duration holds no more. */
const secondsMax = 2 ** 63 / 1e9

function toMilliseconds(seconds: number, expression: DurationExpression, mustBePositive: boolean): number {
  const fail = (reason: string) => new DurationError(reason, placeOfDuration(expression))
  if (!Number.isFinite(seconds)) throw fail('duration is NaN or infinite')
  if (mustBePositive && seconds <= 0) throw fail('duration must be greater than 0')
  if (Math.abs(seconds) > secondsMax) throw fail('duration is out of range')
  return Math.trunc(seconds * 1000)
}
