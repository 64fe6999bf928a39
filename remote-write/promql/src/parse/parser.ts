import { Matcher } from '@narthex/model/matcher'
import { quoteText } from '@narthex/model/quote'
import type { Binary, BinaryOperator, Expression, VectorSelector } from './ast.ts'
import { DurationParser } from './duration-parser.ts'
import { functionSignatures } from './functions.ts'
import { readGroupingLabels, readMatchers } from './label-parser.ts'
import { readBinaryModifiers } from './matching-parser.ts'
import type { ParseOptions } from './parse.ts'
import { ParseError } from './parse-error.ts'
import { PostfixParser } from './postfix-parser.ts'
import type { AggregationType, Token, TokenType } from './token.ts'
import { aggregations, mayBeginOperand, mayNameMetric } from './token.ts'
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
const functionKeywords: ReadonlySet<TokenType> = new Set(['start', 'end', 'step', 'range', 'min_of', 'max_of'])

/** A Pratt parser over the lexer's tokens. Texts and order of errors follow Prometheus' generated parser. */
export class Parser {
  readonly #text: string
  readonly #options: ParseOptions
  readonly #tokens: TokenStream
  readonly #postfixes: PostfixParser
  /** Expressions that are being read around this place. */
  #openDepth = 0
  /** Levels of the expression read last. */
  #treeDepth = 0

  constructor(text: string, options: ParseOptions) {
    this.#text = text
    this.#options = options
    this.#tokens = new TokenStream(text)
    const durations = new DurationParser(this.#tokens, options.durationExpressions ?? true)
    this.#postfixes = new PostfixParser(this.#tokens, durations)
  }

  parseWhole(): Expression {
    const first = this.#tokens.peek()
    if (first.type === 'eof') throw new ParseError('no expression found in input', this.#text === '' ? undefined : this.#text)
    const expression = this.#expression(0)
    const rest = this.#tokens.peek()
    if (rest.type !== 'eof') throw this.#tokens.unexpected(rest)
    return expression
  }

  /** A name, matchers or both, and nothing behind them: what Prometheus' grammar begins with for a `match[]`. */
  parseSelectorAlone(): VectorSelector {
    const token = this.#tokens.next()
    if (token.type !== '{' && !mayNameMetric(token.type)) throw this.#tokens.unexpected(token)
    const selector = token.type === '{' ? this.#selector('', readMatchers(this.#tokens), token.start) : this.#namedSelector(token)
    const rest = this.#tokens.peek()
    if (rest.type !== 'eof') throw this.#tokens.unexpected(rest)
    return selector
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
    if (depth > depthMax) throw this.#tokens.error(`query is nested deeper than ${depthMax} levels`, this.#tokens.previousEnd)
  }

  #binary(left: Expression, token: Token, precedence: number): Binary {
    const operator = token.type as BinaryOperator
    const { returnBool, matching } = readBinaryModifiers(this.#tokens)
    const right = this.#expression(operator === '^' ? precedence : precedence + 1)
    const hasFill = matching.fillLeft !== undefined || matching.fillRight !== undefined
    if (hasFill && this.#options.binopFillModifiers !== true) {
      throw this.#tokens.error('binop fill modifiers are experimental and not enabled', left)
    }
    return { kind: 'binary', operator, left, right, returnBool, matching, start: left.start, end: right.end }
  }

  #operand(): Expression {
    const token = this.#tokens.peek()
    if (token.type === '+' || token.type === '-') return this.#signed(token.type)
    // Names, literals and what holds no expression; the others set their own depth.
    this.#treeDepth = 1
    let operand = this.#primary()
    for (;;) {
      const isSubquery = this.#tokens.peek().type === '['
      const modified = this.#postfixes.readNext(operand)
      if (modified === undefined) return operand
      if (isSubquery) this.#setDepth(this.#treeDepth + 1)
      operand = modified
    }
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
    const { start, end } = token
    switch (token.type) {
      case 'number':
      case 'duration':
        return { kind: 'number', value: this.#tokens.numberOf(token), isDuration: token.type === 'duration', start, end }
      case 'string':
        return { kind: 'string', value: this.#tokens.textOf(token), start, end }
      case '(': {
        const expression = this.#expression(0)
        this.#setDepth(this.#treeDepth + 1)
        return { kind: 'paren', expression, start, end: this.#tokens.require(')').end }
      }
      case '{':
        return this.#selector('', readMatchers(this.#tokens), start)
      default:
        return this.#named(token)
    }
  }

  #named(token: Token): Expression {
    if (!mayNameMetric(token.type)) throw this.#tokens.unexpected(token)
    const following = this.#tokens.peek()
    if (aggregations.has(token.type)) {
      if (following.type === '(' || following.type === 'by' || following.type === 'without') return this.#aggregation(token)
    } else if (following.type === '(' && (token.type === 'identifier' || functionKeywords.has(token.type))) return this.#call(token)
    return this.#namedSelector(token)
  }

  #namedSelector(token: Token): VectorSelector {
    return this.#selector(token.text, this.#tokens.accept('{') === undefined ? [] : readMatchers(this.#tokens), token.start)
  }

  #call(token: Token): Expression {
    const { args, end } = this.#arguments()
    const signature = functionSignatures.get(token.text)
    if (signature === undefined) throw this.#tokens.error(`unknown function with name ${quoteText(token.text)}`, token)
    if (signature.experimental && !this.#options.experimentalFunctions) {
      throw this.#tokens.error(`function ${quoteText(token.text)} is not enabled`, token)
    }
    return { kind: 'call', function: signature, args, start: token.start, end }
  }

  #arguments(): { args: Expression[]; end: number } {
    this.#tokens.require('(')
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
      if (separator.type !== ',') throw this.#tokens.unexpected(separator)
      if (!mayBeginOperand(this.#tokens.peek().type))
        throw this.#tokens.error('trailing commas not allowed in function call args', separator)
    }
  }

  #aggregation(token: Token): Expression {
    const operator = token.type as AggregationType
    this.#tokens.openAggregations++
    let modifier = this.#aggregationModifier()
    const { args, end: argumentsEnd } = this.#arguments()
    this.#tokens.openAggregations--
    let end = argumentsEnd
    if (modifier === undefined) {
      modifier = this.#aggregationModifier()
      if (modifier !== undefined) end = modifier.end
    }
    if (args.length === 0) throw this.#tokens.error('no arguments for aggregate expression provided', token)
    const hasParameter = parameterized.has(operator)
    if ((operator === 'limitk' || operator === 'limit_ratio') && !this.#options.experimentalFunctions) {
      throw this.#tokens.error(
        `${operator}() is experimental and must be enabled with --enable-feature=promql-experimental-functions`,
        token,
      )
    }
    const wanted = hasParameter ? 2 : 1
    if (args.length !== wanted) {
      throw this.#tokens.error(`wrong number of arguments for aggregate expression provided, expected ${wanted}, got ${args.length}`, token)
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
    const labels = readGroupingLabels(this.#tokens)
    return { without: word.type === 'without', labels, end: this.#tokens.previousEnd }
  }

  #selector(name: string, written: readonly Matcher[], start: number): VectorSelector {
    const matchers = name === '' ? written : [...written, new Matcher('=', '__name__', name)]
    return { kind: 'vectorSelector', name, matchers, offsetMs: 0, anchored: false, smoothed: false, start, end: this.#tokens.previousEnd }
  }
}
