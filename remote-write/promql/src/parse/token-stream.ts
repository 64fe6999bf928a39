import { quoteText } from '@narthex/model/quote'
import type { Span } from './ast.ts'
import { unquote, UnquoteError } from './go-strings.ts'
import { Lexer } from './lexer.ts'
import { readNumber } from './number-token.ts'
import { ParseError } from './parse-error.ts'
import type { Token, TokenType } from './token.ts'
import { describeToken } from './token.ts'

/** The lexer's tokens with as much lookahead as is asked for, and no more: a token not needed is not complained about. */
export class TokenStream {
  readonly #text: string
  readonly #lexer: Lexer
  readonly #ahead: Token[] = []
  /** Where the token taken last ends. */
  previousEnd = 0
  /** Aggregations that are being read around this place. */
  openAggregations = 0

  constructor(text: string) {
    this.#text = text
    this.#lexer = new Lexer(text)
  }

  peek(distance = 0): Token {
    while (this.#ahead.length <= distance) this.#ahead.push(this.#lexer.next())
    return this.#ahead[distance]!
  }

  next(): Token {
    const token = this.peek()
    if (token.type !== 'eof') this.#ahead.shift()
    this.previousEnd = token.end
    return token
  }

  /** Takes the next token if it is of this type. */
  accept(type: TokenType): Token | undefined {
    return this.peek().type === type ? this.next() : undefined
  }

  /** Takes the next token, which must be of this type; `context` and `expected` as for `unexpected`. */
  require(type: TokenType, context = '', expected = ''): Token {
    const token = this.next()
    if (token.type !== type) throw this.unexpected(token, context, expected)
    return token
  }

  error(reason: string, at: number | Span): ParseError {
    return new ParseError(reason, this.#text, typeof at === 'number' ? at : at.start)
  }

  /** `unexpected <op:+> in offset, expected …`. */
  unexpected(token: Token, context = '', expected = ''): ParseError {
    let reason = `unexpected ${describeToken(token, quoteText)}`
    // Prometheus' parser falls back to the nearest construct that expects errors; short of a place with a context of its own that is an
    // aggregation around it.
    if (context === '' && this.openAggregations > 0) reason += ' in aggregation'
    if (context !== '') reason += ` in ${context}`
    if (expected !== '') reason += `, expected ${expected}`
    return this.error(reason, token)
  }

  /** Value of a number or duration token, durations in seconds. */
  numberOf(token: Token): number {
    return readNumber(token, this.#text)
  }

  /** A number or duration with or without a sign. */
  signedNumber(context = '', expected = ''): number {
    const sign = this.accept('-') ?? this.accept('+')
    const token = this.next()
    if (token.type !== 'number' && token.type !== 'duration') throw this.unexpected(token, context, expected)
    return sign?.type === '-' ? -this.numberOf(token) : this.numberOf(token)
  }

  /** Value of a string token. */
  textOf(token: Token): string {
    try {
      return unquote(token.text)
    } catch (error) {
      if (!(error instanceof UnquoteError)) throw error
      throw this.error(error.message, token)
    }
  }
}
