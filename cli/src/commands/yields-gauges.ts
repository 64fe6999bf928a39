import type { Expression } from '@narthex/promql/parse/ast'

const gaugeFunctions: ReadonlySet<string> = new Set(['rate', 'increase', 'delta', 'irate', 'idelta'])

/**
 * Whether the native histograms that an expression gives are gauges: differences are, and what is made of gauges. An answer of the API does not say it of a
 * histogram. Of what a selector finds nothing is known: those are taken for counters.
 */
export function yieldsGauges(expression: Expression): boolean {
  switch (expression.kind) {
    case 'paren':
    case 'aggregation':
    case 'subquery':
      return yieldsGauges(expression.expression)
    case 'binary':
      if (expression.operator === '-' || yieldsGauges(expression.left)) return true
      return expression.operator !== 'and' && expression.operator !== 'unless' && yieldsGauges(expression.right)
    case 'unary':
      return expression.operator === '-' || yieldsGauges(expression.expression)
    case 'call':
      return gaugeFunctions.has(expression.function.name) || expression.args.some(yieldsGauges)
    default:
      return false
  }
}
