import type { MatchType } from '@narthex/model/matcher'
import { isValidLegacyLabelName } from '@narthex/model/name'
import { Matcher } from '@narthex/model/matcher'
import { quoteText } from '@narthex/model/quote'
import { RegexSyntaxError } from '@narthex/model/regex'
import { unquoteGo } from './go-unquote.ts'

/** Longest matcher text that is read, in UTF-16 units. */
export const matcherTextLengthMax = 65_536

/** A matcher cannot be read; the text is the one of Alertmanager's parser. */
export class MatcherSyntaxError extends Error {
  override name = 'MatcherSyntaxError'
}

/**
 * Reads `{a="b", c=~d}`, with or without braces. UTF-8 grammar first; what only the classic grammar accepts (or reads differently)
 * is read as classic, as Alertmanager does by default. Throws `MatcherSyntaxError` or `RegexSyntaxError`.
 */
export function parseMatchers(text: string): Matcher[] {
  if (text.length > matcherTextLengthMax) {
    throw new MatcherSyntaxError(`cannot read matchers: want at most ${matcherTextLengthMax} characters, got ${text.length}`)
  }
  return chooseReading(
    attempt(() => parseClassicMatchers(text)),
    attempt(() => parseUtf8Matchers(text)),
  )
}

/** Reads exactly one matcher without braces, as in an API filter. */
export function parseMatcher(text: string): Matcher {
  if (text.length > matcherTextLengthMax) {
    throw new MatcherSyntaxError(`cannot read matcher: want at most ${matcherTextLengthMax} characters, got ${text.length}`)
  }
  const [matcher] = chooseReading(
    attempt(() => [parseClassicMatcher(text)]),
    attempt(() => parseUtf8Matcher(text)),
  )
  return matcher!
}

// What both grammars read differently was written for the older one.
function chooseReading(classic: Matcher[] | Error, utf8: Matcher[] | Error): Matcher[] {
  if (utf8 instanceof Error) {
    if (classic instanceof Error) throw utf8
    return classic
  }
  return classic instanceof Error || sameMatchers(classic, utf8) ? utf8 : classic
}

function parseUtf8Matcher(text: string): Matcher[] {
  if (text.startsWith('{') || text.endsWith('}')) throw new MatcherSyntaxError(`unexpected open or close brace: ${text}`)
  const matchers = parseUtf8Matchers(text)
  if (matchers.length === 1) return matchers
  throw new MatcherSyntaxError(matchers.length === 0 ? 'no matchers' : `expected 1 matcher, found ${matchers.length}`)
}

function attempt(parse: () => Matcher[]): Matcher[] | Error {
  try {
    return parse()
  } catch (error) {
    if (error instanceof MatcherSyntaxError || error instanceof RegexSyntaxError) return error
    throw error
  }
}

function sameMatchers(one: readonly Matcher[], other: readonly Matcher[]): boolean {
  return one.length === other.length && one.every((matcher, i) => isSameMatcher(matcher, other[i]!))
}

export function isSameMatcher(one: Matcher, other: Matcher): boolean {
  return one.type === other.type && one.name === other.name && one.value === other.value
}

interface Token {
  readonly kind: 'open' | 'close' | 'comma' | 'operator' | 'word' | 'quoted' | 'end'
  readonly text: string
  readonly at: number
}

const symbols: readonly (readonly [Token['kind'], string])[] = [
  ['open', '{'],
  ['close', '}'],
  ['comma', ','],
  ['operator', '=~'],
  ['operator', '!~'],
  ['operator', '!='],
  ['operator', '='],
]
const word = /[^\s{}!=~,\\"'`]+/uy
const quoted = /"(?:[^"\\]|\\[^])*"/uy

function parseUtf8Matchers(text: string): Matcher[] {
  const tokens = scanTokens(text)
  const matchers: Matcher[] = []
  let at = 0
  const peek = () => tokens[at]!
  const opened = peek().kind === 'open'
  if (opened) at++
  while (peek().kind !== 'close' && peek().kind !== 'end') {
    const name = tokens[at++]!
    if (name.kind !== 'word' && name.kind !== 'quoted') throw unexpected(name, 'expected label name')
    const operator = tokens[at++]!
    if (operator.kind !== 'operator') throw unexpected(operator, "expected an operator such as '=', '!=', '=~' or '!~'")
    const value = tokens[at++]!
    if (value.kind !== 'word' && value.kind !== 'quoted') throw unexpected(value, 'expected label value')
    matchers.push(new Matcher(operator.text as MatchType, readToken(name), readToken(value)))
    if (peek().kind === 'comma') at++
    else if (peek().kind !== 'close' && peek().kind !== 'end') throw unexpected(peek(), 'expected a comma or close brace')
  }
  if (opened !== (peek().kind === 'close')) {
    throw new MatcherSyntaxError(`${describePlace(peek())}: expected ${opened ? 'close' : 'opening'} brace`)
  }
  if (opened) at++
  if (peek().kind !== 'end') throw unexpected(peek(), 'expected end of input')
  return matchers
}

function scanTokens(text: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  while (at < text.length) {
    if (/\s/.test(text[at]!)) {
      at++
      continue
    }
    const token = scanToken(text, at)
    tokens.push(token)
    at += token.text.length
  }
  const end: Token = { kind: 'end', text: '', at: text.length }
  // The parser reads at most three tokens past the last one before it looks.
  return [...tokens, end, end, end, end]
}

function scanToken(text: string, at: number): Token {
  const symbol = symbols.find(([, spelling]) => text.startsWith(spelling, at))
  if (symbol !== undefined) return { kind: symbol[0], text: symbol[1], at }
  const pattern = text[at] === '"' ? quoted : word
  pattern.lastIndex = at
  const match = pattern.exec(text)?.[0]
  if (match !== undefined) return { kind: text[at] === '"' ? 'quoted' : 'word', text: match, at }
  if (text[at] === '"') throw new MatcherSyntaxError(`${at}:${text.length}: ${text.slice(at)}: missing end "`)
  throw new MatcherSyntaxError(`${at}:${at + 1}: ${text[at]}: invalid input`)
}

function readToken(token: Token): string {
  if (token.kind === 'word') return token.text
  const value = unquoteGo(token.text)
  if (value === undefined) throw new MatcherSyntaxError(`${describePlace(token)}: ${token.text}: invalid input`)
  return value
}

function unexpected(token: Token, expectation: string): MatcherSyntaxError {
  if (token.kind === 'end') return new MatcherSyntaxError(`${describePlace(token)}: ${expectation}`)
  return new MatcherSyntaxError(`${describePlace(token)}: unexpected ${token.text}: ${expectation}`)
}

function describePlace(token: Token): string {
  return token.kind === 'end' ? 'end of input' : `${token.at}:${token.at + token.text.length}`
}

const classicMatcher = /^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*([^]*?)\s*$/

function parseClassicMatchers(text: string): Matcher[] {
  let body = text
  if (body.startsWith('{')) body = body.slice(1)
  if (body.endsWith('}')) body = body.slice(0, -1)
  const pieces = splitOutsideQuotes(body)
  // One trailing comma is fine.
  if (pieces.length > 1 && pieces.at(-1)!.trim() === '') pieces.pop()
  if (pieces.length === 1 && pieces[0]!.trim() === '') return []
  return pieces.map(parseClassicMatcher)
}

function parseClassicMatcher(text: string): Matcher {
  const parts = classicMatcher.exec(text)
  if (parts === null) throw new MatcherSyntaxError(`bad matcher format: ${text}`)
  const [, name, operator, raw] = parts
  return new Matcher(operator as MatchType, name!, unescapeClassic(raw!))
}

function unescapeClassic(raw: string): string {
  const isQuoted = raw.startsWith('"')
  const body = isQuoted ? raw.slice(1) : raw
  let value = ''
  for (let i = 0; i < body.length; i++) {
    const character = body[i]!
    if (character === '\\') {
      const next = body[i + 1]
      if (next === undefined) value += '\\'
      else if (next === 'n') value += '\n'
      else if (next === '"' || next === '\\') value += next
      else value += '\\' + next
      i++
    } else if (character === '"') {
      if (!isQuoted || i !== body.length - 1) throw new MatcherSyntaxError(`matcher value contains unescaped double quote: ${raw}`)
      return value
    } else {
      value += character
    }
  }
  if (isQuoted) throw new MatcherSyntaxError(`matcher value contains unescaped double quote: ${raw}`)
  return value
}

function splitOutsideQuotes(text: string): string[] {
  const pieces: string[] = []
  let start = 0
  let inQuotes = false
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === '"') inQuotes = !inQuotes
    else if (text[i] === ',' && !inQuotes) {
      pieces.push(text.slice(start, i))
      start = i + 1
    }
  }
  pieces.push(text.slice(start))
  return pieces
}

/** Alertmanager's order of a route's matchers, on which group keys depend: by name, value, type. */
export function compareMatchers(a: Matcher, b: Matcher): number {
  return compareText(a.name, b.name) || compareText(a.value, b.value) || matchTypes.indexOf(a.type) - matchTypes.indexOf(b.type)
}

const matchTypes: readonly MatchType[] = ['=', '!=', '=~', '!~']

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Whether this alert's labels satisfy all matchers. */
export function matchesAll(matchers: readonly Matcher[], labels: { get(name: string): string }): boolean {
  return matchers.every((matcher) => matcher.matches(labels.get(matcher.name)))
}

/** `{a="b",c=~"d"}` as Alertmanager prints a list of matchers: quoted names only where the classic grammar needs them. */
export function printMatchers(matchers: readonly Matcher[]): string {
  return `{${matchers.map(printMatcher).join(',')}}`
}

function printMatcher(matcher: Matcher): string {
  const value = matcher.value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
  const name = isValidLegacyLabelName(matcher.name) ? matcher.name : quoteText(matcher.name)
  return `${name}${matcher.type}"${value}"`
}
