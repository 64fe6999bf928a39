import type { DurationExpression } from './ast.ts'
import type { TokenType } from './token.ts'
import type { TokenStream } from './token-stream.ts'

const precedences: Partial<Record<TokenType, number>> = { '+': 1, '-': 1, '*': 2, '/': 2, '%': 2, '^': 3 }
const signPrecedence = 3
const wantedOperand = 'number, duration, step(), or range()'
const depthMax = 100

/** Durations in `[…]` and behind `offset`: a literal, or arithmetic over literals, step(), range(), min_of() and max_of(). */
export class DurationParser {
  readonly #tokens: TokenStream
  readonly #allowExpressions: boolean
  #depth = 0

  constructor(tokens: TokenStream, allowExpressions: boolean) {
    this.#tokens = tokens
    this.#allowExpressions = allowExpressions
  }

  /** A whole expression; `context` names the place in errors. */
  bracketDuration(context: string, expected = wantedOperand): DurationExpression {
    return this.#checked(this.#expression(0, context, expected))
  }

  /** Behind `offset` only one operand belongs to the duration: `a offset 5m + 2` adds 2 to the result. */
  offsetDuration(): DurationExpression {
    return this.#checked(this.#operand('offset', wantedOperand, false))
  }

  /** Milliseconds of a plain number or duration; undefined for anything that must be computed. */
  literalMs(duration: DurationExpression): number | undefined {
    return duration.kind === 'number' ? Math.round(duration.value * 1000) + 0 : undefined
  }

  #checked(duration: DurationExpression): DurationExpression {
    if (duration.kind !== 'number') {
      if (!this.#allowExpressions) throw this.#tokens.error('experimental duration expression is not enabled', duration.start)
      return duration
    }
    if (Number.isNaN(duration.value)) throw this.#tokens.error('duration must be a number, got NaN', duration.start)
    return duration
  }

  #expression(precedenceMin: number, context: string, expected: string): DurationExpression {
    if (++this.#depth > depthMax) throw this.#tokens.error(`duration is nested deeper than ${depthMax} levels`, this.#tokens.peek().start)
    let left = this.#operand(context, expected, true)
    for (;;) {
      const token = this.#tokens.peek()
      const precedence = precedences[token.type]
      if (precedence === undefined || precedence < precedenceMin) break
      this.#tokens.next()
      const right = this.#expression(token.type === '^' ? precedence : precedence + 1, context, expected)
      if (right.kind === 'number' && right.value === 0) {
        if (token.type === '/') throw this.#tokens.error('division by zero', token)
        if (token.type === '%') throw this.#tokens.error('modulo by zero', token)
      }
      left = { kind: 'binary', operator: token.type as '+', left, right, start: left.start, end: right.end }
    }
    this.#depth--
    return left
  }

  #operand(context: string, expected: string, signTakesPower: boolean): DurationExpression {
    const token = this.#tokens.next()
    const { start, end } = token
    switch (token.type) {
      case 'number':
      case 'duration': {
        const value = this.#tokens.numberOf(token)
        if (value > 2 ** 63 / 1e9) throw this.#tokens.error('duration out of range', start)
        return { kind: 'number', value, isDuration: token.type === 'duration', start, end }
      }
      case '+':
      case '-': {
        // As everywhere, -2^2 is -(2^2), but behind `offset` the power is not part of the duration.
        const expression = signTakesPower ? this.#expression(signPrecedence, context, expected) : this.#operand(context, expected, false)
        return signed(token.type, expression, start, !signTakesPower)
      }
      case '(': {
        const expression = this.#expression(0, context, expected)
        const close = this.#tokens.next()
        if (close.type !== ')') throw this.#tokens.unexpected(close, context, expected)
        // As in Prometheus' tree, one is left of several.
        if (expression.kind === 'paren') return expression
        return { kind: 'paren', expression, start, end: close.end }
      }
      case 'step':
      case 'range':
        return { kind: 'call', name: token.type, args: [], start, end: this.#arguments(0, context, expected, []) }
      case 'min_of':
      case 'max_of': {
        const args: DurationExpression[] = []
        return { kind: 'call', name: token.type, args, start, end: this.#arguments(2, context, expected, args) }
      }
      default:
        throw this.#tokens.unexpected(token, context, expected)
    }
  }

  /** Reads `(…)` with exactly `count` arguments; returns where it ends. */
  #arguments(count: number, context: string, expected: string, into: DurationExpression[]): number {
    const open = this.#tokens.next()
    if (open.type !== '(') throw this.#tokens.unexpected(open, context, expected)
    for (let i = 0; i < count; i++) {
      if (i > 0) {
        const comma = this.#tokens.next()
        if (comma.type !== ',') throw this.#tokens.unexpected(comma, context, expected)
      }
      into.push(this.#expression(0, context, expected))
    }
    const close = this.#tokens.next()
    if (close.type !== ')') throw this.#tokens.unexpected(close, context, expected)
    return close.end
  }
}

/** A sign is part of the number behind it. A plus is kept as written directly behind `offset` before a call, and nowhere else. */
function signed(operator: '+' | '-', expression: DurationExpression, start: number, isBehindOffset: boolean): DurationExpression {
  if (expression.kind === 'number') return { ...expression, value: operator === '-' ? -expression.value : expression.value, start }
  if (operator === '+' && !(isBehindOffset && expression.kind === 'call')) return expression
  return { kind: 'unary', operator, expression, start, end: expression.end }
}
