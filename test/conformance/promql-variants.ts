import type { Expression } from '@narthex/promql/parse/ast'
import type { ParseOptions } from '@narthex/promql/parse/parse'
import { parseExpression } from '@narthex/promql/parse/parse'
import { printExpression } from '@narthex/promql/parse/print'

/**
 * The same query pinned with `@` to its time, to be asked at other times: the answers must agree. Queries that cannot be pinned
 * (time(), a date function without argument, a selector that has an `@` of its own) give none.
 */
export function atModifierVariants(query: string, timeMs: number, options: ParseOptions): { text: string; timeMs: number }[] {
  let expression: Expression
  try {
    expression = parseExpression(query, options)
  } catch {
    return []
  }
  const pin = { found: false, possible: true }
  const pinned = pinSelectors(expression, timeMs, pin, false)
  if (!pin.found || !pin.possible) return []
  const text = printExpression(pinned)
  return [0, timeMs + 60 * 60_000, timeMs + 2 * 60 * 60_000, timeMs - 60 * 60_000]
    .filter((time) => time >= 0)
    .map((time) => ({ text, timeMs: time }))
}

const timeBound: ReadonlySet<string> = new Set([
  'time',
  'timestamp',
  'predict_linear',
  'day_of_month',
  'day_of_week',
  'day_of_year',
  'days_in_month',
  'hour',
  'minute',
  'month',
  'year',
  'start',
  'end',
  'step',
  'range',
  'info',
])

function pinSelectors(
  expression: Expression,
  timeMs: number,
  pin: { found: boolean; possible: boolean },
  insideSubquery: boolean,
): Expression {
  const go = (inner: Expression) => pinSelectors(inner, timeMs, pin, insideSubquery)
  switch (expression.kind) {
    case 'number':
    case 'string':
      return expression
    case 'vectorSelector':
      pin.found = true
      if (insideSubquery || expression.atMs !== undefined || expression.atPreprocessor !== undefined) return expression
      return { ...expression, atMs: timeMs }
    case 'matrixSelector': {
      const vector = go(expression.vector)
      return vector.kind === 'vectorSelector' ? { ...expression, vector } : expression
    }
    case 'subquery': {
      pin.found = true
      if (expression.atMs !== undefined || expression.atPreprocessor !== undefined) return expression
      return { ...expression, atMs: timeMs }
    }
    case 'paren':
    case 'unary':
      return { ...expression, expression: go(expression.expression) }
    case 'call':
      if (timeBound.has(expression.function.name)) pin.possible = false
      return { ...expression, args: expression.args.map(go) }
    case 'aggregation': {
      const parameter = expression.parameter === undefined ? undefined : go(expression.parameter)
      return { ...expression, expression: go(expression.expression), parameter }
    }
    case 'binary':
      return { ...expression, left: go(expression.left), right: go(expression.right) }
  }
}

/** Queries that speak of the query's own bounds mean something else in a range query. */
export function mayRepeatAsRange(query: string, options: ParseOptions): boolean {
  if (/\b(range|step|start|end)\s*\(\s*\)/.test(query)) return false
  try {
    return parseExpression(query, options).kind !== 'string'
  } catch {
    return false
  }
}
