import { quoteText } from '@narthex/model/quote'
import { quoteRune } from './go-strings.ts'
import { isAlpha, isAlphaNumeric, isDigit, isOneOf } from './characters.ts'
import { ParseError } from './parse-error.ts'
import { scanNumber } from './scan-number.ts'
import type { Token, TokenType } from './token.ts'
import { aggregations, keywords, wordOperators } from './token.ts'

const durationKeywords: ReadonlySet<string> = new Set(['step', 'range', 'min_of', 'max_of'])

/**
 * Cuts a query into tokens, one at a time, so that a mistake of grammar is reported before a later mistake of spelling.
 * Inside braces and brackets other characters are allowed than outside, as in Prometheus' own lexer. Throws ParseError.
 */
export class Lexer {
  readonly #text: string
  #at = 0
  #parenDepth = 0
  #braceOpen = false
  #bracketOpen = false
  #colonSeen = false
  /** Behind `[`, up to the first number. */
  #beginsDuration = false
  #durationSeen = false

  constructor(text: string) {
    this.#text = text
  }

  next(): Token {
    this.#skipBlanks()
    if (this.#braceOpen) return this.#insideBraces()
    const start = this.#at
    const char = this.#char()
    if (this.#beginsDuration) {
      if (char === '') throw this.#error('unexpected end of input in duration expression')
      const isWord = isOneOf(char.toLowerCase(), 'srm')
      if (!isWord && !isOneOf(char, ']:()+-*/%^,') && !isDigit(char) && !(char === '.' && isDigit(this.#char(1)))) {
        throw this.#error(`unexpected character in duration expression: ${quoteRune(this.#rune())}`)
      }
    }
    if (char === '') {
      if (this.#parenDepth !== 0) throw this.#error('unclosed left parenthesis')
      if (this.#bracketOpen) throw this.#error('unclosed left bracket')
      return { type: 'eof', text: '', start, end: start }
    }
    if (isDigit(char) || (char === '.' && isDigit(this.#char(1)))) {
      if (this.#beginsDuration) this.#durationSeen = true
      this.#beginsDuration = false
      return this.#number()
    }
    if (char === '"' || char === "'" || char === '`') return this.#string(char)
    if (isAlpha(char) || char === ':') return this.#bracketOpen ? this.#insideBrackets(char) : this.#word()
    return this.#symbol(char)
  }

  #char(ahead = 0): string {
    return this.#text[this.#at + ahead] ?? ''
  }

  #take(type: TokenType, length: number): Token {
    const start = this.#at
    this.#at += length
    return { type, text: this.#text.slice(start, this.#at), start, end: this.#at }
  }

  #error(reason: string, at = this.#at): ParseError {
    return new ParseError(reason, this.#text, at)
  }

  #skipBlanks(): void {
    const text = this.#text
    while (this.#at < text.length) {
      const char = text[this.#at]!
      if (char === '#' && !this.#beginsDuration) {
        while (this.#at < text.length && text[this.#at] !== '\n' && text[this.#at] !== '\r') this.#at++
      } else if (char === ' ' || char === '\t' || char === '\n' || char === '\r') this.#at++
      else return
    }
  }

  #symbol(char: string): Token {
    const following = this.#char(1)
    switch (char) {
      case ',':
      case '*':
      case '/':
      case '%':
      case '+':
      case '-':
      case '^':
      case '@':
        return this.#take(char, 1)
      case '=':
        if (following === '=') return this.#take('==', 2)
        if (following === '~') throw this.#error(`unexpected character after '=': ${quoteRune(following)}`)
        return this.#take('=', 1)
      case '!':
        if (following === '=') return this.#take('!=', 2)
        throw this.#error(`unexpected character after '!': ${quoteRune(following === '' ? '\ufffd' : following)}`)
      case '<':
        if (following === '=') return this.#take('<=', 2)
        return following === '/' ? this.#take('</', 2) : this.#take('<', 1)
      case '>':
        if (following === '=') return this.#take('>=', 2)
        return following === '/' ? this.#take('>/', 2) : this.#take('>', 1)
      case '(':
        this.#parenDepth++
        return this.#take('(', 1)
      case ')':
        if (--this.#parenDepth < 0) throw this.#error("unexpected right parenthesis ')'", this.#at + 1)
        return this.#take(')', 1)
      case '{':
        this.#braceOpen = true
        return this.#take('{', 1)
      case '[':
        if (this.#bracketOpen) throw this.#error("unexpected left bracket '['")
        this.#bracketOpen = true
        this.#beginsDuration = true
        this.#colonSeen = false
        return this.#take('[', 1)
      case ']':
        if (!this.#bracketOpen) throw this.#error("unexpected right bracket ']'")
        this.#bracketOpen = false
        this.#beginsDuration = false
        return this.#take(']', 1)
      default:
        throw this.#error(`unexpected character: ${quoteRune(this.#rune())}`)
    }
  }

  #insideBraces(): Token {
    const char = this.#char()
    const following = this.#char(1)
    if (char === '') throw this.#error('unexpected end of input inside braces')
    if (isAlpha(char)) {
      let length = 1
      while (isAlphaNumeric(this.#char(length))) length++
      return this.#take('identifier', length)
    }
    switch (char) {
      case ',':
        return this.#take(',', 1)
      case '"':
      case "'":
      case '`':
        return this.#string(char)
      case '=':
        return following === '~' ? this.#take('=~', 2) : this.#take('=', 1)
      case '!':
        if (following === '~') return this.#take('!~', 2)
        if (following === '=') return this.#take('!=', 2)
        throw this.#error(`unexpected character after '!' inside braces: ${quoteRune(following === '' ? '\ufffd' : following)}`)
      case '{':
        throw this.#error("unexpected left brace '{'")
      case '}':
        this.#braceOpen = false
        return this.#take('}', 1)
      default:
        throw this.#error(`unexpected character inside braces: ${quoteRune(this.#rune())}`)
    }
  }

  /** Between [ and ] stand numbers, durations, the colon of a subquery and the words of duration expressions. */
  #insideBrackets(char: string): Token {
    if (char === ':') {
      if (this.#beginsDuration && !this.#durationSeen) {
        throw this.#error('unexpected colon before duration in duration expression', this.#at + 1)
      }
      if (this.#colonSeen) throw this.#error("unexpected colon ':'")
      this.#colonSeen = true
      return this.#take(':', 1)
    }
    let length = 1
    while (isAlpha(this.#char(length))) length++
    const word = this.#text.slice(this.#at, this.#at + length).toLowerCase()
    if (durationKeywords.has(word)) {
      this.#durationSeen = true
      return this.#take(word as TokenType, length)
    }
    if (this.#beginsDuration) throw this.#error(`unexpected character in duration expression: ${quoteRune(char)}`)
    throw this.#error(`unexpected character: ${quoteRune(char)}, expected ':'`)
  }

  #word(): Token {
    let length = 1
    while (isAlphaNumeric(this.#char(length)) || this.#char(length) === ':') length++
    const word = this.#text.slice(this.#at, this.#at + length)
    const lower = word.toLowerCase()
    if (lower === 'inf' || lower === 'nan') return this.#take('number', length)
    if (lower.startsWith('fill') && keywords.has(lower) && !this.#isBeforeParenthesis(length)) return this.#take('identifier', length)
    if (keywords.has(lower) || aggregations.has(lower) || wordOperators.has(lower)) return this.#take(lower as TokenType, length)
    return this.#take(word.includes(':') ? 'metric identifier' : 'identifier', length)
  }

  #isBeforeParenthesis(ahead: number): boolean {
    while (isOneOf(this.#char(ahead), blanks)) ahead++
    return this.#char(ahead) === '('
  }

  #string(quoteChar: string): Token {
    const start = this.#at
    const text = this.#text
    let i = start + 1
    for (; i < text.length; i++) {
      const char = text[i]!
      if (char === quoteChar) {
        this.#at = i + 1
        return { type: 'string', text: text.slice(start, i + 1), start, end: i + 1 }
      }
      if (quoteChar === '`') continue
      if (char === '\n') break
      if (char === '\\') {
        i++
        if (i >= text.length) throw this.#error('escape sequence not terminated', start)
      }
    }
    throw this.#error(quoteChar === '`' ? 'unterminated raw string' : 'unterminated quoted string', start)
  }

  #number(): Token {
    const start = this.#at
    const text = this.#text
    const numberEnd = scanNumber(text, start)
    if (numberEnd.valid) return this.#take('number', numberEnd.end - start)
    let i = numberEnd.end
    const bad = (end: number) =>
      this.#error(`bad number or duration syntax: ${quoteText(text.slice(start, Math.min(end, text.length)))}`, start)
    if (!isOneOf(text[i], 'smhdwy')) throw bad(i)
    i++
    if (text[i] === 's') i++
    while (isDigit(text[i] ?? '')) {
      while (isDigit(text[i] ?? '')) i++
      if (!isOneOf(text[i], 'smhdw')) throw bad(i)
      i++
      if (text[i] === 's') i++
    }
    if (isAlphaNumeric(text[i] ?? '')) throw bad(i + 1)
    return this.#take('duration', i - start)
  }

  #rune(): string {
    return String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0xfffd)
  }
}

const blanks = ' \t\n\r'
