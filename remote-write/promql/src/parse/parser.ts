import { Matcher } from '@narthex/model/matcher'
import type { MatchType } from '@narthex/model/matcher'
import { quoteText } from '@narthex/model/quote'
import type {
  Binary,
  BinaryOperator,
  DurationExpression,
  Expression,
  MatchCardinality,
  NumberLiteral,
  Span,
  StringLiteral,
  Subquery,
  VectorMatching,
  VectorSelector,
} from './ast.ts'
import { DurationParser, isZeroDuration } from './duration-parser.ts'
import { functionSignatures } from './functions.ts'
import { unquote, UnquoteError } from './go-strings.ts'
import { readNumber } from './number-token.ts'
import type { ParseOptions } from './parse.ts'
import { ParseError } from './parse-error.ts'
import type { AggregationType, Token, TokenType } from './token.ts'
import { aggregations, describeToken, mayNameLabel, mayNameMetric } from './token.ts'
import { TokenStream } from './token-stream.ts'

// Weakest first; `^` alone groups to the right. A sign binds as tightly as `*`: -a^b is -(a^b).
const precedences: Partial<Record<TokenType, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  '==': 3,
  '!=': 3,
  '<=': 3,
  '<': 3,
  '>=': 3,
  '>': 3,
  '</': 3,
  '>/': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  atan2: 5,
  '^': 6,
}
const signPrecedence = 5
/** Levels of an expression, of which each operator of `a or b or c …` is one: far more than people write, less than the stack holds. */
const depthMax = 500

const parameterized: ReadonlySet<AggregationType> = new Set(['bottomk', 'count_values', 'limitk', 'limit_ratio', 'quantile', 'topk'])
const matchTypes: ReadonlySet<TokenType> = new Set(['=', '!=', '=~', '!~'])
const functionKeywords: ReadonlySet<TokenType> = new Set(['start', 'end', 'step', 'range', 'min_of', 'max_of'])

/** A Pratt parser over the lexer's tokens. Texts and order of errors follow Prometheus' generated parser. */
export class Parser {
  readonly #text: string
  readonly #options: ParseOptions
  readonly #tokens: TokenStream
  readonly #durations: DurationParser
  /** Expressions that are being read around this place. */
  #openDepth = 0
  /** Levels of the expression read last. */
  #treeDepth = 0

  constructor(text: string, options: ParseOptions) {
    this.#text = text
    this.#options = options
    this.#tokens = new TokenStream(text)
    this.#durations = new DurationParser(this.#tokens, text, options.durationExpressions ?? true)
  }

  parseWhole(): Expression {
    const first = this.#tokens.peek()
    if (first.type === 'eof') throw this.#error('no expression found in input', 0)
    const expression = this.#expression(0)
    const rest = this.#tokens.peek()
    if (rest.type !== 'eof') throw this.#unexpected(rest)
    return expression
  }

  #error(reason: string, at: number | Span): ParseError {
    return new ParseError(reason, this.#text, typeof at === 'number' ? at : at.start)
  }

  #unexpected(token: Token, context = '', expected = ''): ParseError {
    let reason = `unexpected ${describeToken(token, quoteText)}`
    if (context !== '') reason += ` in ${context}`
    if (expected !== '') reason += `, expected ${expected}`
    return this.#error(reason, token)
  }

  #expression(precedenceMin: number): Expression {
    this.#checkDepth(++this.#openDepth)
    let left = this.#operand()
    for (;;) {
      const token = this.#tokens.peek()
      const precedence = precedences[token.type]
      if (precedence === undefined || precedence < precedenceMin) break
      this.#tokens.next()
      const leftDepth = this.#treeDepth
      left = this.#binary(left, token, precedence)
      this.#setDepth(Math.max(leftDepth, this.#treeDepth) + 1)
    }
    this.#openDepth--
    return left
  }

  #setDepth(depth: number): void {
    this.#checkDepth(depth)
    this.#treeDepth = depth
  }

  #checkDepth(depth: number): void {
    if (depth > depthMax) throw this.#error(`query is nested deeper than ${depthMax} levels`, this.#tokens.previousEnd)
  }

  #binary(left: Expression, token: Token, precedence: number): Binary {
    const operator = token.type as BinaryOperator
    const { returnBool, matching } = this.#binaryModifiers()
    const right = this.#expression(operator === '^' ? precedence : precedence + 1)
    return { kind: 'binary', operator, left, right, returnBool, matching, start: left.start, end: right.end }
  }

  #binaryModifiers(): { returnBool: boolean; matching: VectorMatching } {
    const tokens = this.#tokens
    const returnBool = tokens.accept('bool') !== undefined
    let cardinality: MatchCardinality = 'one-to-one'
    let labels: readonly string[] = []
    let include: readonly string[] = []
    const on = tokens.accept('on') !== undefined
    if (on || tokens.accept('ignoring')) {
      labels = this.#groupingLabels()
      const group = tokens.accept('group_left') ?? tokens.accept('group_right')
      if (group !== undefined) {
        cardinality = group.type === 'group_left' ? 'many-to-one' : 'one-to-many'
        if (tokens.peek().type === '(') include = this.#groupingLabels()
      }
    }
    return { returnBool, matching: { cardinality, on, labels, include, ...this.#fillModifiers() } }
  }

  /** `fill`, `fill_left`, `fill_right` are modifiers only before a parenthesis; else they are metric names. */
  #fillModifiers(): { fillLeft?: number; fillRight?: number } {
    const fills: { fillLeft?: number; fillRight?: number } = {}
    for (;;) {
      const token = this.#tokens.peek()
      if (token.type !== 'fill' && token.type !== 'fill_left' && token.type !== 'fill_right') return fills
      if (this.#tokens.peek(1).type !== '(') return fills
      if (token.type === 'fill' ? Object.keys(fills).length > 0 : token.type === 'fill_left' ? fills.fillLeft !== undefined : fills.fillRight !== undefined) {
        throw this.#unexpected(token)
      }
      this.#tokens.next()
      if (!this.#options.binopFillModifiers) throw this.#error('binop fill modifiers are experimental and not enabled', token)
      this.#tokens.next()
      const value = this.#signedNumber('fill modifier', 'number')
      const close = this.#tokens.next()
      if (close.type !== ')') throw this.#unexpected(close, 'fill modifier', '")"')
      if (token.type !== 'fill_right') fills.fillLeft = value
      if (token.type !== 'fill_left') fills.fillRight = value
      if (token.type === 'fill') return fills
    }
  }

  #signedNumber(context: string, expected: string): number {
    const sign = this.#tokens.accept('-') ?? this.#tokens.accept('+')
    const token = this.#tokens.next()
    if (token.type !== 'number' && token.type !== 'duration') throw this.#unexpected(token, context, expected)
    const { value } = this.#number(token)
    return sign?.type === '-' ? -value : value
  }

  #groupingLabels(): string[] {
    const open = this.#tokens.next()
    if (open.type !== '(') throw this.#unexpected(open, 'grouping opts', '"("')
    const labels: string[] = []
    for (;;) {
      const token = this.#tokens.next()
      if (token.type === ')') return labels
      labels.push(this.#groupingLabel(token))
      const separator = this.#tokens.next()
      if (separator.type === ')') return labels
      if (separator.type !== ',') throw this.#unexpected(separator, 'grouping opts', '"," or ")"')
    }
  }

  #groupingLabel(token: Token): string {
    if (token.type === 'string') {
      const name = this.#string(token)
      if (name === '' || !name.isWellFormed()) throw this.#error(`invalid label name ${quoteText(name)}`, token)
      return name
    }
    if (!mayNameLabel(token.type) || token.text.includes(':')) throw this.#unexpected(token, 'grouping opts', 'label')
    return token.text
  }

  #operand(): Expression {
    const token = this.#tokens.peek()
    if (token.type === '+' || token.type === '-') return this.#signed(token.type)
    // Names, literals and what holds no expression; the others set their own depth.
    this.#treeDepth = 1
    return this.#postfix(this.#primary())
  }

  #signed(operator: '+' | '-'): Expression {
    const token = this.#tokens.next()
    const expression = this.#expression(signPrecedence + 1)
    this.#setDepth(this.#treeDepth + 1)
    if (expression.kind === 'number') {
      return { ...expression, value: operator === '-' ? -expression.value : expression.value, start: token.start }
    }
    return { kind: 'unary', operator, expression, start: token.start, end: expression.end }
  }

  #primary(): Expression {
    const token = this.#tokens.next()
    switch (token.type) {
      case 'number':
      case 'duration':
        return this.#number(token)
      case 'string': {
        const literal: StringLiteral = { kind: 'string', value: this.#string(token), start: token.start, end: token.end }
        return literal
      }
      case '(': {
        const expression = this.#expression(0)
        this.#setDepth(this.#treeDepth + 1)
        const close = this.#tokens.next()
        if (close.type !== ')') throw this.#unexpected(close)
        return { kind: 'paren', expression, start: token.start, end: close.end }
      }
      case '{':
        return this.#selectorBraces('', token.start, token.end, token)
      default:
        return this.#named(token)
    }
  }

  #named(token: Token): Expression {
    const following = this.#tokens.peek()
    if (aggregations.has(token.type)) {
      if (following.type === '(' || following.type === 'by' || following.type === 'without') return this.#aggregation(token)
      if (!mayFollowOperand(following.type)) throw this.#unexpected(following, 'aggregation')
    } else if (following.type === '(' && (token.type === 'identifier' || functionKeywords.has(token.type))) return this.#call(token)
    if (!mayNameMetric(token.type)) throw this.#unexpected(token)
    if (following.type === '{') return this.#selectorBraces(token.text, token.start, token.end, this.#tokens.next())
    return this.#selector(token.text, [], token.start, token.end)
  }

  #number(token: Token): NumberLiteral {
    const { start, end } = token
    return { kind: 'number', value: readNumber(token, this.#text), isDuration: token.type === 'duration', start, end }
  }

  #string(token: Token): string {
    try {
      return unquote(token.text)
    } catch (error) {
      if (!(error instanceof UnquoteError)) throw error
      throw this.#error(error.message, token)
    }
  }

  #call(token: Token): Expression {
    const { args, end } = this.#arguments()
    const signature = functionSignatures.get(token.text)
    if (signature === undefined) throw this.#error(`unknown function with name ${quoteText(token.text)}`, token)
    if (signature.experimental && !this.#options.experimentalFunctions) {
      throw this.#error(`function ${quoteText(token.text)} is not enabled`, token)
    }
    return { kind: 'call', function: signature, args, start: token.start, end }
  }

  #arguments(): { args: Expression[]; end: number } {
    const open = this.#tokens.next()
    if (open.type !== '(') throw this.#unexpected(open)
    const args: Expression[] = []
    const close = this.#tokens.accept(')')
    if (close !== undefined) return { args, end: close.end }
    let depth = 0
    for (;;) {
      args.push(this.#expression(0))
      depth = Math.max(depth, this.#treeDepth)
      this.#setDepth(depth + 1)
      const separator = this.#tokens.next()
      if (separator.type === ')') return { args, end: separator.end }
      if (separator.type !== ',') throw this.#unexpected(separator)
      if (this.#tokens.peek().type === ')') throw this.#error('trailing commas not allowed in function call args', separator)
    }
  }

  #aggregation(token: Token): Expression {
    const operator = token.type as AggregationType
    let modifier = this.#aggregationModifier()
    const { args, end: argumentsEnd } = this.#arguments()
    let end = argumentsEnd
    if (modifier === undefined) {
      modifier = this.#aggregationModifier()
      if (modifier !== undefined) end = modifier.end
    }
    if (args.length === 0) throw this.#error('no arguments for aggregate expression provided', token)
    const hasParameter = parameterized.has(operator)
    if ((operator === 'limitk' || operator === 'limit_ratio') && !this.#options.experimentalFunctions) {
      throw this.#error(`${operator}() is experimental and must be enabled with --enable-feature=promql-experimental-functions`, token)
    }
    const wanted = hasParameter ? 2 : 1
    if (args.length !== wanted) {
      throw this.#error(`wrong number of arguments for aggregate expression provided, expected ${wanted}, got ${args.length}`, token)
    }
    return {
      kind: 'aggregation',
      operator,
      expression: args[wanted - 1]!,
      parameter: hasParameter ? args[0] : undefined,
      grouping: modifier?.labels ?? [],
      without: modifier?.without ?? false,
      start: token.start,
      end,
    }
  }

  #aggregationModifier(): { without: boolean; labels: string[]; end: number } | undefined {
    const word = this.#tokens.accept('by') ?? this.#tokens.accept('without')
    if (word === undefined) return undefined
    const labels = this.#groupingLabels()
    return { without: word.type === 'without', labels, end: this.#tokens.previousEnd }
  }

  #selectorBraces(name: string, start: number, nameEnd: number, open: Token): VectorSelector {
    const matchers: Matcher[] = []
    let end = Math.max(nameEnd, open.end)
    for (;;) {
      const token = this.#tokens.next()
      if (token.type === '}') {
        end = token.end
        break
      }
      matchers.push(this.#labelMatcher(token))
      const separator = this.#tokens.next()
      if (separator.type === '}') {
        end = separator.end
        break
      }
      if (separator.type !== ',') throw this.#unexpected(separator, 'label matching', '"," or "}"')
    }
    return this.#selector(name, matchers, start, end)
  }

  #labelMatcher(token: Token): Matcher {
    if (token.type !== 'identifier' && token.type !== 'string') throw this.#unexpected(token, 'label matching', 'identifier or "}"')
    const name = token.type === 'string' ? this.#string(token) : token.text
    const following = this.#tokens.peek()
    if (!matchTypes.has(following.type)) {
      if (token.type === 'string' && (following.type === ',' || following.type === '}')) return this.#matcher('=', '__name__', name, token)
      throw this.#unexpected(following, 'label matching', 'label matching operator')
    }
    this.#tokens.next()
    const value = this.#tokens.next()
    if (value.type !== 'string') throw this.#unexpected(value, 'label matching', 'string')
    const text = this.#string(value)
    if (!text.isWellFormed()) throw this.#error('invalid UTF-8 rune', value)
    return this.#matcher(following.type as MatchType, name, text, token)
  }

  #matcher(type: MatchType, name: string, value: string, token: Token): Matcher {
    try {
      return new Matcher(type, name, value)
    } catch (error) {
      throw this.#error(error instanceof Error ? error.message : String(error), token)
    }
  }

  #selector(name: string, written: readonly Matcher[], start: number, end: number): VectorSelector {
    const matchers = name === '' ? written : [...written, new Matcher('=', '__name__', name)]
    return { kind: 'vectorSelector', name, matchers, offsetMs: 0, anchored: false, smoothed: false, start, end }
  }

  /** What may follow an operand: `[…]`, offset, @, anchored, smoothed, in any order that has a meaning. */
  #postfix(operand: Expression): Expression {
    let expression = operand
    for (;;) {
      const token = this.#tokens.peek()
      if (token.type === '[') this.#setDepth(this.#treeDepth + 1)
      if (token.type === '[') expression = this.#brackets(expression)
      else if (token.type === 'offset') expression = this.#offset(expression)
      else if (token.type === '@') expression = this.#at(expression)
      else if (token.type === 'anchored' || token.type === 'smoothed') expression = this.#extended(expression, token.type)
      else return expression
    }
  }

  #brackets(expression: Expression): Expression {
    const open = this.#tokens.next()
    const range = this.#durations.bracketDuration('subquery or range selector')
    this.#checkPositive(range)
    const token = this.#tokens.next()
    if (token.type === ']') return this.#matrix(expression, open, range, token.end)
    if (token.type !== ':') throw this.#unexpected(token, 'subquery or range selector', '":" or "]"')
    let step: DurationExpression | undefined
    if (this.#tokens.peek().type !== ']') {
      step = this.#durations.bracketDuration('subquery selector', ' or "]"')
      this.#checkPositive(step)
    }
    const close = this.#tokens.next()
    if (close.type !== ']') throw this.#unexpected(close, 'subquery selector', '"]"')
    const subquery: Subquery = {
      kind: 'subquery',
      expression,
      ...this.#literalOr('range', range),
      ...(step === undefined ? { stepMs: 0 } : this.#literalOr('step', step)),
      offsetMs: 0,
      start: expression.start,
      end: close.end,
    } as Subquery
    return subquery
  }

  #checkPositive(duration: DurationExpression): void {
    if (isZeroDuration(duration)) throw this.#error('duration must be greater than 0', duration)
  }

  /** `{rangeMs}` of a literal, `{rangeMs: 0, rangeExpression}` of anything else. */
  #literalOr(prefix: 'range' | 'step' | 'offset', duration: DurationExpression): Record<string, unknown> {
    const milliseconds = this.#durations.literalMs(duration)
    if (milliseconds !== undefined) return { [`${prefix}Ms`]: milliseconds }
    return { [`${prefix}Ms`]: 0, [`${prefix}Expression`]: duration }
  }

  #matrix(vector: Expression, open: Token, range: DurationExpression, end: number): Expression {
    if (vector.kind !== 'vectorSelector') throw this.#error('ranges only allowed for vector selectors', open)
    if (vector.offsetMs !== 0 || vector.offsetExpression !== undefined) throw this.#error('no offset modifiers allowed before range', open)
    if (vector.atMs !== undefined || vector.atPreprocessor !== undefined) throw this.#error('no @ modifiers allowed before range', open)
    if (vector.anchored) throw this.#error('no anchored modifiers allowed before range', open)
    if (vector.smoothed) throw this.#error('no smoothed modifiers allowed before range', open)
    return { kind: 'matrixSelector', vector, ...(this.#literalOr('range', range) as { rangeMs: number }), start: vector.start, end }
  }

  #offset(expression: Expression): Expression {
    this.#tokens.next()
    const offset = this.#durations.offsetDuration()
    const target = shiftTarget(expression)
    if (target === undefined) {
      const wanted = 'offset modifier must be preceded by an instant vector selector or range vector selector or a subquery'
      throw this.#error(wanted, expression)
    }
    if (target.offsetMs !== 0 || target.offsetExpression !== undefined) throw this.#error('offset may not be set multiple times', expression)
    return withShift(expression, this.#literalOr('offset', offset), this.#tokens.previousEnd)
  }

  #at(expression: Expression): Expression {
    this.#tokens.next()
    const token = this.#tokens.peek()
    let shift: Record<string, unknown>
    if (token.type === 'start' || token.type === 'end') {
      this.#tokens.next()
      for (const wanted of ['(', ')'] as const) {
        const parenthesis = this.#tokens.next()
        if (parenthesis.type !== wanted) throw this.#unexpected(parenthesis, '@', 'timestamp')
      }
      shift = { atPreprocessor: token.type }
    } else {
      const seconds = this.#signedNumber('@', 'timestamp')
      // Go checks against the range of int64 after conversion to milliseconds.
      if (!Number.isFinite(seconds) || Math.abs(seconds) >= 9.223372036854775e15) {
        throw this.#error(`timestamp out of bounds for @ modifier: ${formatGoF(seconds)}`, expression)
      }
      shift = { atMs: Math.round(seconds * 1000) }
    }
    const target = shiftTarget(expression)
    if (target === undefined) {
      throw this.#error('@ modifier must be preceded by an instant vector selector or range vector selector or a subquery', expression)
    }
    if (target.atMs !== undefined || target.atPreprocessor !== undefined) throw this.#error('@ <timestamp> may not be set multiple times', expression)
    return withShift(expression, shift, this.#tokens.previousEnd)
  }

  #extended(expression: Expression, word: 'anchored' | 'smoothed'): Expression {
    const token = this.#tokens.next()
    if (!this.#options.extendedRangeSelectors) throw this.#error(`${word} modifier is experimental and not enabled`, token)
    if (expression.kind === 'subquery') throw this.#error(`${word} modifier is not supported for subqueries`, expression)
    const vector = expression.kind === 'matrixSelector' ? expression.vector : expression
    if (vector.kind !== 'vectorSelector') throw this.#error(`${word} modifier not implemented`, expression)
    if (word === 'anchored' && expression.kind === 'vectorSelector') {
      throw this.#error('anchored modifier can only be used with range selectors', expression)
    }
    if (vector.anchored || vector.smoothed) throw this.#error('anchored and smoothed modifiers cannot be used together', expression)
    return withShift(expression, { [word]: true }, token.end)
  }
}

function shiftTarget(expression: Expression): VectorSelector | Subquery | undefined {
  if (expression.kind === 'matrixSelector') return expression.vector
  return expression.kind === 'vectorSelector' || expression.kind === 'subquery' ? expression : undefined
}

function withShift(expression: Expression, shift: Record<string, unknown>, end: number): Expression {
  if (expression.kind === 'matrixSelector') return { ...expression, vector: { ...expression.vector, ...shift }, end }
  return { ...expression, ...shift, end } as Expression
}

function mayFollowOperand(type: TokenType): boolean {
  return precedences[type] !== undefined || [')', ',', '{', '[', '@', 'offset', 'eof', 'anchored', 'smoothed'].includes(type)
}

/** Go's %f. */
function formatGoF(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  return BigInt(Math.trunc(value)).toString() + '.000000'
}
