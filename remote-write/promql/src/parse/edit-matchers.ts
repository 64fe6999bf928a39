import { Matcher } from '@narthex/model/matcher'
import type { MatchType } from '@narthex/model/matcher'
import type { Expression, VectorSelector } from './ast.ts'

/**
 * The expression with `name` matching `value` in each of its selectors: what they have for that label is replaced, else it is added. The name of a
 * metric counts as a matcher of `__name__`. Throws a `RegexSyntaxError` for a pattern that cannot be read.
 */
export function setMatcher(expression: Expression, type: MatchType, name: string, value: string): Expression {
  const matcher = new Matcher(type, name, value)
  return editSelectors(expression, (selector) => {
    const isThere = selector.matchers.some((one) => one.name === name)
    const matchers = isThere ? selector.matchers.map((one) => (one.name === name ? matcher : one)) : [...selector.matchers, matcher]
    // A name in front of the braces can only be equal to something.
    const metricName = name !== '__name__' || selector.name === '' ? selector.name : type === '=' ? value : ''
    return { ...selector, name: metricName, matchers }
  })
}

/** The expression without the matchers of a label. What is left of a selector may match everything, which a query may not. */
export function deleteMatchers(expression: Expression, name: string): Expression {
  return editSelectors(expression, (selector) => ({
    ...selector,
    name: name === '__name__' ? '' : selector.name,
    matchers: selector.matchers.filter((one) => one.name !== name),
  }))
}

function editSelectors(expression: Expression, edit: (selector: VectorSelector) => VectorSelector): Expression {
  const inner = (part: Expression) => editSelectors(part, edit)
  switch (expression.kind) {
    case 'vectorSelector':
      return edit(expression)
    case 'matrixSelector':
      return { ...expression, vector: edit(expression.vector) }
    case 'call':
      return { ...expression, args: expression.args.map(inner) }
    case 'binary':
      return { ...expression, left: inner(expression.left), right: inner(expression.right) }
    case 'aggregation': {
      const { parameter } = expression
      return {
        ...expression,
        expression: inner(expression.expression),
        ...(parameter === undefined ? {} : { parameter: inner(parameter) }),
      }
    }
    case 'subquery':
    case 'unary':
    case 'paren':
      return { ...expression, expression: inner(expression.expression) }
    case 'number':
    case 'string':
      return expression
  }
}
