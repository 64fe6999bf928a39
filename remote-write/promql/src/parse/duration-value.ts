import { power } from '../functions/binary-arithmetic.ts'
import type { DurationExpression, Span } from './ast.ts'

/** What step() and range() stand for while a query runs, in seconds. */
export interface DurationScope {
  readonly stepSeconds: number
  readonly rangeSeconds: number
}

/** A duration expression that divides by zero, or comes out as no time span; the text is Prometheus'. */
export class DurationError extends Error {
  override name = 'DurationError'
  readonly span: Span

  constructor(reason: string, span: Span) {
    super(reason)
    this.span = span
  }
}

/** Seconds. Throws DurationError on division by zero. */
export function evaluateDuration(duration: DurationExpression, scope: DurationScope): number {
  switch (duration.kind) {
    case 'number':
      return duration.value
    case 'paren':
      return evaluateDuration(duration.expression, scope)
    case 'unary': {
      const value = evaluateDuration(duration.expression, scope)
      return duration.operator === '-' ? -value : value
    }
    case 'call':
      return evaluateCall(duration, scope)
    case 'binary': {
      const left = evaluateDuration(duration.left, scope)
      const right = evaluateDuration(duration.right, scope)
      return combine(duration.operator, left, right, placeOfDuration(duration))
    }
  }
}

function evaluateCall(call: Extract<DurationExpression, { kind: 'call' }>, scope: DurationScope): number {
  if (call.name === 'step') return scope.stepSeconds
  if (call.name === 'range') return scope.rangeSeconds
  const [first, second] = call.args.map((argument) => evaluateDuration(argument, scope))
  return call.name === 'min_of' ? Math.min(first!, second!) : Math.max(first!, second!)
}

function combine(operator: '+' | '-' | '*' | '/' | '%' | '^', left: number, right: number, place: Span): number {
  switch (operator) {
    case '+':
      return left + right
    case '-':
      return left - right
    case '*':
      return left * right
    case '/':
      if (right === 0) throw new DurationError('division by zero', place)
      return left / right
    case '%':
      if (right === 0) throw new DurationError('modulo by zero', place)
      return left % right
    case '^':
      return power(left, right)
  }
}

/** Where Prometheus takes a duration to stand: from its first operand to its last. */
export function placeOfDuration(duration: DurationExpression): Span {
  switch (duration.kind) {
    case 'number':
    case 'call':
      return duration
    case 'paren': {
      const place = placeOfDuration(duration.expression)
      return duration.expression.kind === 'number' ? { start: duration.start, end: place.end } : place
    }
    case 'unary':
      return { start: duration.start, end: placeOfDuration(duration.expression).end }
    case 'binary':
      return { start: placeOfDuration(duration.left).start, end: placeOfDuration(duration.right).end }
  }
}
