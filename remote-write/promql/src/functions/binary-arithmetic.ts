import type { BinaryOperator } from '../parse/ast.ts'

/** Result of an arithmetic operator, as Go and C compute it. */
export function makeArithmetic(operator: BinaryOperator): (left: number, right: number) => number {
  switch (operator) {
    case '+':
      return (left, right) => left + right
    case '-':
      return (left, right) => left - right
    case '*':
      return (left, right) => left * right
    case '/':
      return (left, right) => left / right
    case '%':
      return (left, right) => left % right
    case '^':
      return power
    case 'atan2':
      return Math.atan2
    default:
      throw new Error(`cannot compute: want an arithmetic operator, got ${operator}`)
  }
}

/** C's pow: unlike JavaScript's, 1 to any power is 1, and -1 to an infinite power too. */
export function power(base: number, exponent: number): number {
  if (base === 1) return 1
  if (base === -1 && (exponent === Infinity || exponent === -Infinity)) return 1
  return base ** exponent
}

export function makeComparison(operator: BinaryOperator): (left: number, right: number) => boolean {
  switch (operator) {
    case '==':
      return (left, right) => left === right
    case '!=':
      return (left, right) => left !== right
    case '<':
      return (left, right) => left < right
    case '<=':
      return (left, right) => left <= right
    case '>':
      return (left, right) => left > right
    case '>=':
      return (left, right) => left >= right
    default:
      throw new Error(`cannot compare: want a comparison, got ${operator}`)
  }
}
