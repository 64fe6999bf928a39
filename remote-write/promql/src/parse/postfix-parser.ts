import type { DurationExpression, Expression, MatrixSelector, Subquery, TimeShift, VectorSelector } from './ast.ts'
import type { DurationParser } from './duration-parser.ts'
import type { Token } from './token.ts'
import type { TokenStream } from './token-stream.ts'

/** Go checks that the timestamp fits int64 once it is in milliseconds. */
const atSecondsMax = 2 ** 63 / 1000

const wantedStep = 'number, duration, step(), range(), or "]"'

/** What may follow an operand: `[…]`, offset, @, anchored, smoothed. */
export class PostfixParser {
  readonly #tokens: TokenStream
  readonly #durations: DurationParser

  constructor(tokens: TokenStream, durations: DurationParser) {
    this.#tokens = tokens
    this.#durations = durations
  }

  /** The operand with the one modifier that follows it, or undefined if none does. */
  readNext(operand: Expression): Expression | undefined {
    switch (this.#tokens.peek().type) {
      case '[':
        return this.#brackets(operand)
      case 'offset':
        return this.#offset(operand)
      case '@':
        return this.#at(operand)
      case 'anchored':
        return this.#extended(operand, 'anchored')
      case 'smoothed':
        return this.#extended(operand, 'smoothed')
      default:
        return undefined
    }
  }

  #brackets(expression: Expression): MatrixSelector | Subquery {
    const tokens = this.#tokens
    const open = tokens.next()
    const range = this.#positiveDuration('subquery or range selector')
    const { ms: rangeMs, expression: rangeExpression } = range
    const token = tokens.next()
    const { start } = expression
    if (token.type === ']') {
      const vector = this.#checkRangeable(expression, open)
      return { kind: 'matrixSelector', vector, rangeMs, rangeExpression, start, end: token.end }
    }
    if (token.type !== ':') throw tokens.unexpected(token, 'subquery or range', '":" or "]"')
    const step = tokens.peek().type === ']' ? { ms: 0, expression: undefined } : this.#positiveDuration('subquery selector', wantedStep)
    const { end } = tokens.require(']', 'subquery selector', '"]"')
    return {
      kind: 'subquery',
      expression,
      rangeMs,
      rangeExpression,
      stepMs: step.ms,
      stepExpression: step.expression,
      offsetMs: 0,
      start,
      end,
    }
  }

  #positiveDuration(context: string, expected?: string): { ms: number; expression: DurationExpression | undefined } {
    const duration = this.#durations.bracketDuration(context, expected)
    if (duration.kind === 'number' && duration.value <= 0) throw this.#tokens.error('duration must be greater than 0', duration)
    return this.#settle(duration)
  }

  /** A literal as milliseconds; anything else stays an expression. */
  #settle(duration: DurationExpression): { ms: number; expression: DurationExpression | undefined } {
    const ms = this.#durations.literalMs(duration)
    return ms === undefined ? { ms: 0, expression: duration } : { ms, expression: undefined }
  }

  #checkRangeable(vector: Expression, open: Token): VectorSelector {
    const refuse = (reason: string) => this.#tokens.error(reason, open)
    if (vector.kind !== 'vectorSelector') throw refuse('ranges only allowed for vector selectors')
    if (vector.offsetMs !== 0 || vector.offsetExpression !== undefined) throw refuse('no offset modifiers allowed before range')
    if (vector.atMs !== undefined || vector.atPreprocessor !== undefined) throw refuse('no @ modifiers allowed before range')
    return vector
  }

  #offset(expression: Expression): Expression {
    this.#tokens.next()
    const { ms: offsetMs, expression: offsetExpression } = this.#settle(this.#durations.offsetDuration())
    const target = shiftTarget(expression)
    if (target === undefined) {
      const wanted = 'offset modifier must be preceded by an instant vector selector or range vector selector or a subquery'
      throw this.#tokens.error(wanted, expression)
    }
    if (target.offsetMs !== 0 || target.offsetExpression !== undefined) {
      throw this.#tokens.error('offset may not be set multiple times', expression)
    }
    return withShift(expression, { offsetMs, offsetExpression }, this.#tokens.previousEnd)
  }

  #at(expression: Expression): Expression {
    this.#tokens.next()
    const shift = this.#atTime(expression)
    const target = shiftTarget(expression)
    if (target === undefined) {
      const wanted = '@ modifier must be preceded by an instant vector selector or range vector selector or a subquery'
      throw this.#tokens.error(wanted, expression)
    }
    if (target.atMs !== undefined || target.atPreprocessor !== undefined) {
      throw this.#tokens.error('@ <timestamp> may not be set multiple times', expression)
    }
    return withShift(expression, shift, this.#tokens.previousEnd)
  }

  #atTime(expression: Expression): Partial<TimeShift> {
    const { type } = this.#tokens.peek()
    if (type === 'start' || type === 'end') {
      this.#tokens.next()
      this.#tokens.require('(', '@', 'timestamp')
      this.#tokens.require(')', '@', 'timestamp')
      return { atPreprocessor: type }
    }
    const seconds = this.#tokens.signedNumber('@', 'timestamp')
    if (!(Math.abs(seconds) < atSecondsMax)) {
      throw this.#tokens.error(`timestamp out of bounds for @ modifier: ${formatFixed(seconds)}`, expression)
    }
    // No -0, which would be printed as 0.
    return { atMs: Math.round(seconds * 1000) + 0 }
  }

  #extended(expression: Expression, word: 'anchored' | 'smoothed'): Expression {
    const token = this.#tokens.next()
    const refuse = (reason: string) => this.#tokens.error(reason, expression)
    if (expression.kind === 'subquery') throw refuse(`${word} modifier is not supported for subqueries`)
    const vector = expression.kind === 'matrixSelector' ? expression.vector : expression
    if (vector.kind !== 'vectorSelector') throw refuse(`${word} modifier not implemented`)
    // Anchored, an instant is what it is anyway.
    if (word === 'anchored' ? vector.smoothed : vector.anchored) throw refuse('anchored and smoothed modifiers cannot be used together')
    return withShift(expression, word === 'anchored' ? { anchored: true } : { smoothed: true }, token.end)
  }
}

function shiftTarget(expression: Expression): VectorSelector | Subquery | undefined {
  if (expression.kind === 'matrixSelector') return expression.vector
  return expression.kind === 'vectorSelector' || expression.kind === 'subquery' ? expression : undefined
}

function withShift(expression: Expression, shift: Partial<VectorSelector>, end: number): Expression {
  switch (expression.kind) {
    case 'matrixSelector':
      return { ...expression, vector: { ...expression.vector, ...shift }, end }
    case 'vectorSelector':
      return { ...expression, ...shift, end }
    case 'subquery': {
      const { offsetMs = expression.offsetMs, offsetExpression = expression.offsetExpression } = shift
      const { atMs = expression.atMs, atPreprocessor = expression.atPreprocessor } = shift
      return { ...expression, offsetMs, offsetExpression, atMs, atPreprocessor, end }
    }
    default:
      return expression
  }
}

/** Go's %f of numbers too large for a decimal place to matter. */
function formatFixed(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  return `${BigInt(Math.trunc(value))}.000000`
}
