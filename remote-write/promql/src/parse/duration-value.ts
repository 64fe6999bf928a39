import type { DurationExpression } from './ast.ts'

/** What step() and range() stand for while a query runs, in seconds. */
export interface DurationScope {
  readonly stepSeconds: number
  readonly rangeSeconds: number
}

/** A duration expression that divides by zero, or comes out as no time span; the text is Prometheus'. */
export class DurationError extends Error {
  override name = 'DurationError'
  readonly offset: number

  constructor(reason: string, offset: number) {
    super(reason)
    this.offset = offset
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
      return combine(duration.operator, left, right, duration.right.start)
    }
  }
}

function evaluateCall(call: Extract<DurationExpression, { kind: 'call' }>, scope: DurationScope): number {
  if (call.name === 'step') return scope.stepSeconds
  if (call.name === 'range') return scope.rangeSeconds
  const [first, second] = call.args.map((argument) => evaluateDuration(argument, scope))
  return call.name === 'min_of' ? Math.min(first!, second!) : Math.max(first!, second!)
}

function combine(operator: '+' | '-' | '*' | '/' | '%' | '^', left: number, right: number, offset: number): number {
  switch (operator) {
    case '+':
      return left + right
    case '-':
      return left - right
    case '*':
      return left * right
    case '/':
      if (right === 0) throw new DurationError('division by zero', offset)
      return left / right
    case '%':
      if (right === 0) throw new DurationError('modulo by zero', offset)
      return left % right
    case '^':
      return left ** right
  }
}

/** Seconds of an expression without step() and range(); undefined if it has one, or cannot be computed. */
export function evaluateConstantDuration(duration: DurationExpression): number | undefined {
  if (dependsOnQuery(duration)) return undefined
  try {
    return evaluateDuration(duration, { stepSeconds: 0, rangeSeconds: 0 })
  } catch {
    return undefined
  }
}

function dependsOnQuery(duration: DurationExpression): boolean {
  switch (duration.kind) {
    case 'number':
      return false
    case 'paren':
    case 'unary':
      return dependsOnQuery(duration.expression)
    case 'binary':
      return dependsOnQuery(duration.left) || dependsOnQuery(duration.right)
    case 'call':
      return duration.args.length === 0 || duration.args.some(dependsOnQuery)
  }
}
