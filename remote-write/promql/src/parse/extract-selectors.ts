import type { Matcher } from '@narthex/model/matcher'
import type { Expression } from './ast.ts'

/** The matchers of each selector of an expression, in the order written. */
export function extractSelectors(expression: Expression): (readonly Matcher[])[] {
  const found: (readonly Matcher[])[] = []
  visit(expression, found)
  return found
}

function visit(expression: Expression, found: (readonly Matcher[])[]): void {
  switch (expression.kind) {
    case 'vectorSelector':
      found.push(expression.matchers)
      return
    case 'matrixSelector':
      found.push(expression.vector.matchers)
      return
    case 'call':
      for (const argument of expression.args) visit(argument, found)
      return
    case 'binary':
      visit(expression.left, found)
      visit(expression.right, found)
      return
    case 'aggregation':
      if (expression.parameter !== undefined) visit(expression.parameter, found)
      visit(expression.expression, found)
      return
    case 'subquery':
    case 'unary':
    case 'paren':
      visit(expression.expression, found)
      return
    case 'number':
    case 'string':
  }
}
