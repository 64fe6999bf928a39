import { quoteText } from '@narthex/model/quote'

export type TokenKind =
  | 'error'
  | 'eof'
  | 'text'
  | 'left-delimiter'
  | 'right-delimiter'
  | 'space'
  | 'keyword'
  | 'identifier'
  | 'field'
  | 'variable'
  | 'dot'
  | 'nil'
  | 'bool'
  | 'number'
  | 'character'
  | 'string'
  | 'raw-string'
  | 'pipe'
  | 'left-paren'
  | 'right-paren'
  | 'declare'
  | 'assign'
  | 'punctuation'

export interface Token {
  readonly kind: TokenKind
  /** As it stands in the template; of an error its message. */
  readonly text: string
  /** Offset in the template, in UTF-16 units. */
  readonly at: number
  readonly line: number
}

const keywords = new Set(['block', 'break', 'continue', 'define', 'else', 'end', 'if', 'range', 'template', 'with'])
const trimmed = ' \t\r\n'

/** The tokens of a template, the last one 'eof' or, where the template cannot be read any further, 'error'. */
export function lexTemplate(input: string): Token[] {
  const lexer = new Lexer(input)
  lexer.run()
  return lexer.tokens
}

/** A token as Go's messages show it. */
export function describeToken(token: Token): string {
  if (token.kind === 'eof') return 'EOF'
  if (token.kind === 'error') return token.text
  if (token.kind === 'keyword' || token.kind === 'dot' || token.kind === 'nil') return `<${token.text}>`
  const characters = [...token.text]
  return characters.length > 10 ? quoteText(characters.slice(0, 10).join('')) + '...' : quoteText(token.text)
}

class LexError extends Error {}

class Lexer {
  readonly tokens: Token[] = []
  readonly #input: string
  #at = 0
  #line = 1
  #parens = 0

  constructor(input: string) {
    this.#input = input
  }

  run(): void {
    try {
      let trimNext = false
      while (this.#at < this.#input.length) {
        trimNext = this.#text(trimNext)
      }
      this.#push('eof', '')
    } catch (error) {
      if (!(error instanceof LexError)) throw error
      this.#push('error', error.message)
    }
  }

  /** Text up to the next action, then the action; whether the text behind it loses its leading spaces. */
  #text(trimStart: boolean): boolean {
    const input = this.#input
    const open = input.indexOf('{{', this.#at)
    const end = open < 0 ? input.length : open
    let from = this.#at
    let to = end
    if (trimStart) while (from < to && trimmed.includes(input[from]!)) from++
    const trimsEnd = open >= 0 && input[open + 2] === '-' && isSpace(input[open + 3])
    if (trimsEnd) while (to > from && trimmed.includes(input[to - 1]!)) to--
    this.#advance(from)
    if (to > from) this.#emit('text', to)
    this.#advance(end)
    if (open < 0) return false
    return this.#delimited(open + (trimsEnd ? 4 : 2))
  }

  #delimited(bodyAt: number): boolean {
    const input = this.#input
    if (input.startsWith('/*', bodyAt)) return this.#comment(bodyAt)
    this.#push('left-delimiter', '{{')
    // The space of the trim marker belongs to the marker.
    this.#advance(bodyAt)
    this.#parens = 0
    for (;;) {
      const close = this.#closingAt(this.#at)
      if (close > 0) {
        if (this.#parens > 0) throw new LexError('unclosed left paren')
        const hasMarker = close - this.#at > 2
        this.#push('right-delimiter', '}}')
        this.#advance(close)
        return hasMarker
      }
      this.#insideAction()
    }
  }

  /** The end of `}}` or ` -}}` if one stands here, else 0. */
  #closingAt(at: number): number {
    const input = this.#input
    if (input.startsWith('}}', at)) return at + 2
    return isSpace(input[at]) && input.startsWith('-}}', at + 1) ? at + 4 : 0
  }

  #comment(bodyAt: number): boolean {
    const end = this.#input.indexOf('*/', bodyAt + 2)
    if (end < 0) {
      throw new LexError('unclosed comment')
    }
    const close = this.#closingAt(end + 2)
    if (close === 0) throw new LexError('comment ends before closing delimiter')
    this.#advance(close)
    return close - (end + 2) > 2
  }

  #insideAction(): void {
    const input = this.#input
    const character = input[this.#at]
    if (character === undefined) throw new LexError('unclosed action')
    if (isSpace(character)) return this.#spaces()
    switch (character) {
      case '=':
        return this.#emit('assign', this.#at + 1)
      case ':':
        if (input[this.#at + 1] !== '=') throw new LexError('expected :=')
        return this.#emit('declare', this.#at + 2)
      case '|':
        return this.#emit('pipe', this.#at + 1)
      case '"':
        return this.#emit('string', this.#quotedEnd('"', 'unterminated quoted string'))
      case "'":
        return this.#emit('character', this.#quotedEnd("'", 'unterminated character constant'))
      case '`':
        return this.#rawString()
      case '$':
        return this.#fieldOrVariable('variable')
      case '(':
        this.#parens++
        return this.#emit('left-paren', this.#at + 1)
      case ')':
        if (--this.#parens < 0) throw new LexError('unexpected right paren')
        return this.#emit('right-paren', this.#at + 1)
    }
    if (character === '.' && this.#at + 1 < input.length && !isDigit(input[this.#at + 1])) return this.#fieldOrVariable('field')
    if (character === '.' || character === '+' || character === '-' || isDigit(character)) return this.#number()
    if (isWordAt(input, this.#at)) return this.#word()
    if (/^[!-~]$/.test(character)) return this.#emit('punctuation', this.#at + 1)
    throw new LexError(`unrecognized character in action: ${describeCharacter(input, this.#at)}`)
  }

  /** Spaces, but not the last one before `-}}`, which belongs to the marker. */
  #spaces(): void {
    let end = this.#at
    while (isSpace(this.#input[end]) && this.#closingAt(end) === 0) end++
    this.#emit('space', end)
  }

  #quotedEnd(quote: string, message: string): number {
    const input = this.#input
    for (let at = this.#at + 1; at < input.length && input[at] !== '\n'; at++) {
      if (input[at] === quote) return at + 1
      if (input[at] === '\\' && input[at + 1] !== '\n') at++
    }
    throw new LexError(message)
  }

  #rawString(): void {
    const end = this.#input.indexOf('`', this.#at + 1)
    if (end < 0) throw new LexError('unterminated raw quoted string')
    this.#emit('raw-string', end + 1)
  }

  #fieldOrVariable(kind: 'field' | 'variable'): void {
    let end = this.#at + 1
    while (isWordAt(this.#input, end)) end += characterLength(this.#input, end)
    if (end > this.#at + 1) this.#checkTerminator(end)
    else if (kind === 'field' || !this.#isTerminator(end)) {
      this.#checkTerminator(end)
      return this.#emit('dot', end)
    }
    this.#emit(kind, end)
  }

  #word(): void {
    let end = this.#at
    while (isWordAt(this.#input, end)) end += characterLength(this.#input, end)
    this.#checkTerminator(end)
    const word = this.#input.slice(this.#at, end)
    if (keywords.has(word)) return this.#emit('keyword', end)
    if (word === 'nil') return this.#emit('nil', end)
    this.#emit(word === 'true' || word === 'false' ? 'bool' : 'identifier', end)
  }

  /** Takes what looks like a number; the parser says whether it is one. */
  #number(): void {
    const input = this.#input
    const scan =
      /[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|0[bB][01_]*|0[oO][0-7_]*|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?/y
    scan.lastIndex = this.#at
    scan.exec(input)
    let end = scan.lastIndex
    if (!isWordAt(input, end) && (input[end] === '+' || input[end] === '-')) {
      // Go reads a complex number here; no template has any.
      scan.exec(input)
      end = scan.lastIndex
      throw new LexError(
        `bad number syntax: ${quoteText(input.slice(this.#at, isWordAt(input, end) ? end + characterLength(input, end) : end))}`,
      )
    }
    if (isWordAt(input, end)) {
      throw new LexError(`bad number syntax: ${quoteText(input.slice(this.#at, end + characterLength(input, end)))}`)
    }
    this.#emit('number', end)
  }

  #checkTerminator(at: number): void {
    if (!this.#isTerminator(at)) throw new LexError(`bad character ${describeCharacter(this.#input, at)}`)
  }

  #isTerminator(at: number): boolean {
    const character = this.#input[at]
    return character === undefined || isSpace(character) || '.,|:()'.includes(character) || this.#input.startsWith('}}', at)
  }

  #emit(kind: TokenKind, end: number): void {
    this.#push(kind, this.#input.slice(this.#at, end))
    this.#advance(end)
  }

  #push(kind: TokenKind, text: string): void {
    this.tokens.push({ kind, text, at: this.#at, line: this.#line })
  }

  #advance(to: number): void {
    for (let at = this.#input.indexOf('\n', this.#at); at >= 0 && at < to; at = this.#input.indexOf('\n', at + 1)) this.#line++
    this.#at = to
  }
}

function isSpace(character: string | undefined): boolean {
  return character !== undefined && trimmed.includes(character)
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= '0' && character <= '9'
}

/** Whether a letter, digit or underscore stands at `at`. */
function isWordAt(input: string, at: number): boolean {
  const code = input.codePointAt(at)
  return code !== undefined && /[\p{L}\p{Nd}_]/u.test(String.fromCodePoint(code))
}

function characterLength(input: string, at: number): number {
  return input.codePointAt(at)! > 0xffff ? 2 : 1
}

/** As Go's `%#U`: U+0021 '!'. */
function describeCharacter(input: string, at: number): string {
  const code = input.codePointAt(at)!
  const character = String.fromCodePoint(code)
  const shown = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(character) ? ` '${character}'` : ''
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')}${shown}`
}
