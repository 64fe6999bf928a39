import { formatFloatPlain } from '@narthex/model/number'
import type { Matcher } from '@narthex/model/matcher'
import type { Binary, DurationExpression, Expression, TimeShift, VectorSelector } from './ast.ts'

/** The syntax tree as Prometheus' `/api/v1/parse_query` shows it: plain objects for JSON, durations and times in ms. */
export function describeTree(expression: Expression): Record<string, unknown> {
  switch (expression.kind) {
    case 'number':
      return { type: 'numberLiteral', val: formatFloatPlain(expression.value) }
    case 'string':
      return { type: 'stringLiteral', val: expression.value }
    case 'paren':
      return { type: 'parenExpr', expr: describeTree(expression.expression) }
    case 'unary':
      return { type: 'unaryExpr', op: expression.operator, expr: describeTree(expression.expression) }
    case 'vectorSelector':
      return { type: 'vectorSelector', ...describeSelector(expression) }
    case 'matrixSelector':
      return {
        type: 'matrixSelector',
        ...describeSelector(expression.vector),
        range: expression.rangeMs,
        rangeExpr: describeDuration(expression.rangeExpression),
      }
    case 'subquery':
      return {
        type: 'subquery',
        expr: describeTree(expression.expression),
        range: expression.rangeMs,
        rangeExpr: describeDuration(expression.rangeExpression),
        step: expression.stepMs,
        stepExpr: describeDuration(expression.stepExpression),
        ...describeShift(expression),
      }
    case 'call': {
      const { name, argTypes, variadic, returns } = expression.function
      return { type: 'call', func: { name, argTypes, variadic, returnType: returns }, args: expression.args.map(describeTree) }
    }
    case 'aggregation':
      return {
        type: 'aggregation',
        op: expression.operator,
        expr: describeTree(expression.expression),
        param: expression.parameter === undefined ? null : describeTree(expression.parameter),
        grouping: expression.grouping,
        without: expression.without,
      }
    case 'binary':
      return {
        type: 'binaryExpr',
        op: expression.operator,
        lhs: describeTree(expression.left),
        rhs: describeTree(expression.right),
        matching: describeMatching(expression),
        bool: expression.returnBool,
      }
  }
}

function describeMatching({ matching }: Binary): unknown {
  if (matching === undefined) return null
  const { cardinality, labels, on, include, fillLeft = null, fillRight = null } = matching
  return { card: cardinality, labels, on, include, fillValues: { lhs: fillLeft, rhs: fillRight } }
}

function describeSelector(selector: VectorSelector): Record<string, unknown> {
  const { name, matchers, anchored, smoothed } = selector
  return { name, matchers: matchers.map(describeMatcher), ...describeShift(selector), anchored, smoothed }
}

function describeMatcher({ name, value, type }: Matcher): Record<string, string> {
  return { name, value, type }
}

function describeShift({ offsetMs, offsetExpression, atMs, atPreprocessor }: TimeShift): Record<string, unknown> {
  const offsetExpr = describeDuration(offsetExpression)
  return { offset: offsetMs, offsetExpr, timestamp: atMs ?? null, startOrEnd: atPreprocessor ?? null }
}

/** What is computed when the query runs: a tree of operators, calls and signs among them, over numbers in seconds. */
function describeDuration(duration: DurationExpression | undefined): unknown {
  if (duration === undefined) return null
  switch (duration.kind) {
    case 'number':
      return { type: 'numberLiteral', val: formatFloatPlain(duration.value), duration: duration.isDuration }
    case 'paren': {
      const { expression } = duration
      // A number alone has a plus that says so.
      const inner = expression.kind === 'number' ? describeOperation('+', undefined, expression) : describeDuration(expression)
      return { ...(inner as Record<string, unknown>), wrapped: true }
    }
    case 'unary':
      return describeOperation(duration.operator, undefined, duration.expression)
    case 'binary':
      return describeOperation(duration.operator, duration.left, duration.right)
    case 'call':
      return describeOperation(duration.name, duration.args[0], duration.args[1])
  }
}

function describeOperation(op: string, left: DurationExpression | undefined, right: DurationExpression | undefined): unknown {
  return { type: 'durationExpr', op, lhs: describeDuration(left), rhs: describeDuration(right), wrapped: false }
}
