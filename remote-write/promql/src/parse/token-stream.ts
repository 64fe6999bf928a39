import { Lexer } from './lexer.ts'
import type { Token, TokenType } from './token.ts'

/** The lexer's tokens with as much lookahead as is asked for, and no more: a token not needed is not complained about. */
export class TokenStream {
  readonly #lexer: Lexer
  readonly #ahead: Token[] = []
  /** Where the token taken last ends. */
  previousEnd = 0

  constructor(text: string) {
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
}
