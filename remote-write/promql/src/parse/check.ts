import { quoteText } from '@narthex/model/quote'
import type { Aggregation, Binary, Call, Expression, ValueType, VectorSelector } from './ast.ts'
import { documentedType, isComparison, isSetOperator, typeOf } from './ast.ts'
import { ParseError } from './parse-error.ts'

/** Checks the types of a whole expression and settles the matching of its binary operators. Throws ParseError with Prometheus' texts. */
export function checkExpression(expression: Expression, text: string): Expression {
  return new Checker(text).check(expression)
}

class Checker {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  #error(reason: string, at: number): ParseError {
    return new ParseError(reason, this.#text, at)
  }

  check(expression: Expression): Expression {
    switch (expression.kind) {
      case 'number':
      case 'string':
        return expression
      case 'vectorSelector':
        return this.#checkSelector(expression)
      case 'matrixSelector':
        this.#checkSelector(expression.vector)
        return expression
      case 'paren':
        return { ...expression, expression: this.check(expression.expression) }
      case 'subquery': {
        const inner = this.check(expression.expression)
        const type = typeOf(inner)
        if (type !== 'vector') throw this.#error(`subquery is only allowed on instant vector, got ${type} instead`, expression.start)
        return { ...expression, expression: inner }
      }
      case 'unary': {
        const inner = this.check(expression.expression)
        const type = typeOf(inner)
        if (type === 'scalar' || type === 'vector') return { ...expression, expression: inner }
        const wanted = 'unary expression only allowed on expressions of type scalar or instant vector'
        throw this.#error(`${wanted}, got ${quoteText(documentedType(type))}`, expression.start)
      }
      case 'call':
        return this.#checkCall(expression)
      case 'aggregation':
        return this.#checkAggregation(expression)
      case 'binary':
        return this.#checkBinary(expression)
    }
  }

  #expect(expression: Expression, wanted: ValueType, context: string): Expression {
    const checked = this.check(expression)
    const type = typeOf(checked)
    if (type === wanted) return checked
    throw this.#error(`expected type ${documentedType(wanted)} in ${context}, got ${documentedType(type)}`, checked.start)
  }

  #checkSelector(selector: VectorSelector): VectorSelector {
    const names = selector.matchers.filter(({ name, type }) => name === '__name__' && (selector.name !== '' || type === '='))
    if (selector.name !== '' && names.length > 1) {
      throw this.#error(`metric name must not be set twice: ${quoteText(selector.name)} or ${quoteText(names[0]!.value)}`, selector.start)
    }
    if (selector.name === '' && selector.matchers.every((matcher) => matcher.matches(''))) {
      throw this.#error('vector selector must contain at least one non-empty matcher', selector.start)
    }
    return selector
  }

  #checkCall(call: Call): Call {
    const { name, argTypes, variadic } = call.function
    const got = call.args.length
    const fail = (wanted: string) => this.#error(`expected ${wanted} argument(s) in call to ${quoteText(name)}, got ${got}`, call.start)
    if (variadic === 0) {
      if (got !== argTypes.length) throw fail(String(argTypes.length))
    } else {
      const least = argTypes.length - 1
      if (got < least) throw fail(`at least ${least}`)
      if (variadic > 0 && got > least + variadic) throw fail(`at most ${least + variadic}`)
    }
    if (name === 'info' && got > 1) this.#checkInfoSelector(call.args[1]!, call.start)
    const args = call.args.map((argument, i) => {
      if (name === 'info' && i === 1) return argument
      return this.#expect(argument, argTypes[Math.min(i, argTypes.length - 1)]!, `call to function ${quoteText(name)}`)
    })
    return { ...call, args }
  }

  /** The second argument of info() only looks like a selector: it may match everything. */
  #checkInfoSelector(argument: Expression, callStart: number): void {
    if (argument.kind !== 'vectorSelector') {
      const type = documentedType(typeOf(argument))
      if (type === 'instant vector') throw this.#error('expected label selectors only', argument.start)
      throw this.#error(`expected type instant vector in call to function "info", got ${type}`, callStart)
    }
    if (argument.name !== '') throw this.#error('expected label selectors only, got vector selector instead', argument.start)
  }

  #checkAggregation(aggregation: Aggregation): Aggregation {
    const expression = this.#expect(aggregation.expression, 'vector', 'aggregation expression')
    if (aggregation.parameter === undefined) return { ...aggregation, expression }
    const wanted = aggregation.operator === 'count_values' ? 'string' : 'scalar'
    return { ...aggregation, expression, parameter: this.#expect(aggregation.parameter, wanted, 'aggregation parameter') }
  }

  #checkBinary(binary: Binary): Binary {
    const left = this.check(binary.left)
    const right = this.check(binary.right)
    const { operator, returnBool } = binary
    const leftType = typeOf(left)
    const rightType = typeOf(right)
    const at = this.#operatorStart(left)
    if (returnBool && !isComparison(operator)) throw this.#error('bool modifier can only be used on comparison operators', at)
    if (isComparison(operator) && !returnBool && leftType === 'scalar' && rightType === 'scalar') {
      throw this.#error('comparisons between scalars must use BOOL modifier', at)
    }
    let matching = binary.matching!
    if (isSetOperator(operator) && matching.cardinality === 'one-to-one') matching = { ...matching, cardinality: 'many-to-many' }
    for (const label of matching.labels) {
      if (matching.on && matching.include.includes(label)) {
        throw this.#error(`label ${quoteText(label)} must not occur in ON and GROUP clause at once`, at)
      }
    }
    for (const [side, type] of [
      [left, leftType],
      [right, rightType],
    ] as const) {
      if (type !== 'scalar' && type !== 'vector') {
        throw this.#error('binary expression must contain only scalar and instant vector types', side.start)
      }
    }
    if (leftType === 'scalar' || rightType === 'scalar') {
      if (matching.labels.length > 0) throw this.#error('vector matching only allowed between instant vectors', binary.start)
      if (matching.fillLeft !== undefined || matching.fillRight !== undefined) {
        throw this.#error('filling in missing series only allowed between instant vectors', binary.start)
      }
      if (isSetOperator(operator))
        throw this.#error(`set operator ${quoteText(operator)} not allowed in binary scalar expression`, binary.start)
      return { ...binary, left, right, matching: undefined }
    }
    if (isSetOperator(operator)) {
      if (matching.cardinality !== 'many-to-many')
        throw this.#error(`no grouping allowed for ${quoteText(operator)} operation`, binary.start)
      if (matching.fillLeft !== undefined || matching.fillRight !== undefined) {
        throw this.#error('filling in missing series not allowed for set operators', binary.start)
      }
    }
    return { ...binary, left, right, matching }
  }

  #operatorStart(left: Expression): number {
    let at = left.end
    while (/\s/.test(this.#text[at] ?? '')) at++
    return at
  }
}
