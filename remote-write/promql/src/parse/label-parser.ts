import type { MatchType } from '@narthex/model/matcher'
import { Matcher } from '@narthex/model/matcher'
import { quoteText } from '@narthex/model/quote'
import type { Token, TokenType } from './token.ts'
import { mayNameLabel } from './token.ts'
import type { TokenStream } from './token-stream.ts'

const matchTypes: ReadonlySet<TokenType> = new Set(['=', '!=', '=~', '!~'])

/** `(a, "b.c", …)` behind by, without, on, ignoring, group_left and group_right. */
export function readGroupingLabels(tokens: TokenStream): string[] {
  tokens.require('(', 'grouping opts', '"("')
  const labels: string[] = []
  for (;;) {
    const token = tokens.next()
    if (token.type === ')') return labels
    labels.push(groupingLabelOf(tokens, token))
    const separator = tokens.next()
    if (separator.type === ')') return labels
    if (separator.type !== ',') throw tokens.unexpected(separator, 'grouping opts', '"," or ")"')
  }
}

function groupingLabelOf(tokens: TokenStream, token: Token): string {
  if (token.type === 'string') {
    const name = tokens.textOf(token)
    if (name === '' || !name.isWellFormed()) throw tokens.error(`invalid label name for grouping: ${quoteText(name)}`, token)
    return name
  }
  if (!mayNameLabel(token.type)) throw tokens.unexpected(token, 'grouping opts', 'label')
  return token.text
}

/** The conditions of a selector, from behind `{` to the `}` that ends it. */
export function readMatchers(tokens: TokenStream): Matcher[] {
  const matchers: Matcher[] = []
  for (;;) {
    const token = tokens.next()
    if (token.type === '}') return matchers
    matchers.push(readMatcher(tokens, token))
    const separator = tokens.next()
    if (separator.type === '}') return matchers
    if (separator.type !== ',') throw tokens.unexpected(separator, 'label matching', '"," or "}"')
  }
}

/** `name="value"`, `"name"=~"value"`, or a quoted metric name alone. */
function readMatcher(tokens: TokenStream, token: Token): Matcher {
  const isQuoted = token.type === 'string'
  if (token.type !== 'identifier' && !isQuoted) throw tokens.unexpected(token, 'label matching', 'identifier or "}"')
  const name = isQuoted ? tokens.textOf(token) : token.text
  const type = tokens.peek()
  if (!matchTypes.has(type.type)) {
    if (isQuoted) return new Matcher('=', '__name__', name)
    throw tokens.unexpected(type, 'label matching', 'label matching operator')
  }
  tokens.next()
  const value = tokens.require('string', 'label matching', 'string')
  const text = tokens.textOf(value)
  if (!text.isWellFormed()) throw tokens.error('invalid UTF-8 rune', value)
  try {
    return new Matcher(type.type as MatchType, name, text)
  } catch (error) {
    throw tokens.error(error instanceof Error ? error.message : String(error), token)
  }
}
