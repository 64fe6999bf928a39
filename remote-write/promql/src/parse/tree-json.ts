import { formatFloatPlain } from '@narthex/model/number'
import type { Matcher } from '@narthex/model/matcher'
import type { Binary, Expression, TimeShift, VectorSelector } from './ast.ts'

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
      return { type: 'matrixSelector', ...describeSelector(expression.vector), range: expression.rangeMs }
    case 'subquery':
      return {
        type: 'subquery',
        expr: describeTree(expression.expression),
        range: expression.rangeMs,
        step: expression.stepMs,
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

function describeShift({ offsetMs, atMs, atPreprocessor }: TimeShift): Record<string, unknown> {
  return { offset: offsetMs, timestamp: atMs ?? null, startOrEnd: atPreprocessor ?? null }
}
