import { compileRegex } from '@narthex/model/regex'

export interface MatcherConfig {
  readonly name: string
  readonly type: '=' | '!=' | '=~' | '!~'
  readonly value: string
}

/**
 * Reads Alertmanager's matchers: `foo="bar"`, `{foo="bar", "odd name"=~"x|y"}`, values quoted or bare. Throws with a text that names
 * the place.
 */
export function parseMatchers(text: string): MatcherConfig[] {
  const trimmed = text.trim()
  if (trimmed.startsWith('{') !== trimmed.endsWith('}')) throw new Error(`bad matcher format: ${text}: unbalanced braces`)
  const inner = trimmed.startsWith('{') ? trimmed.slice(1, -1) : trimmed
  const matchers: MatcherConfig[] = []
  let rest = inner.trimStart()
  while (rest !== '') {
    const { matcher, length } = readMatcher(rest, text)
    matchers.push(matcher)
    rest = rest.slice(length).trimStart()
    if (rest === '') break
    if (!rest.startsWith(',')) throw new Error(`bad matcher format: ${text}: expected a comma, got ${JSON.stringify(rest.slice(0, 10))}`)
    rest = rest.slice(1).trimStart()
  }
  return matchers
}

/** One matcher; throws also when a regular expression does not compile. */
export function createMatcher(name: string, type: MatcherConfig['type'], value: string): MatcherConfig {
  if (name === '') throw new Error('bad matcher format: a matcher needs a label name')
  if (type === '=~' || type === '!~') compileRegex(value, { dotMatchesNewline: false })
  return { name, type, value }
}

const quoted = /"(?:[^"\\]|\\.)*"/sy
const bareName = /[^\s"'`{}!=~,\\]+/y
const operator = /\s*(=~|!~|!=|=)\s*/y
const bareValue = /[^",}]*/y

function readMatcher(rest: string, text: string): { matcher: MatcherConfig; length: number } {
  const name = take(quoted, rest, 0) ?? take(bareName, rest, 0)
  if (name === undefined) throw new Error(`bad matcher format: ${text}: expected a label name, got ${JSON.stringify(rest.slice(0, 10))}`)
  const type = take(operator, rest, name.length)
  if (type === undefined) throw new Error(`bad matcher format: ${text}: expected an operator such as '=', '!=', '=~' or '!~'`)
  const start = name.length + type.length
  const value = take(quoted, rest, start) ?? take(bareValue, rest, start) ?? ''
  return {
    matcher: createMatcher(unquote(name), type.trim() as MatcherConfig['type'], unquote(value.trimEnd())),
    length: start + value.length,
  }
}

function take(pattern: RegExp, text: string, start: number): string | undefined {
  pattern.lastIndex = start
  return pattern.exec(text)?.[0]
}

// A backslash makes a newline of n; before a quote or another backslash it is dropped, before anything else it stays.
function unquote(text: string): string {
  const inner = text.startsWith('"') && text.endsWith('"') && text.length > 1 ? text.slice(1, -1) : text
  return inner.replaceAll(/\\(.)/gs, (whole, character: string) =>
    character === 'n' ? '\n' : character === '"' || character === '\\' ? character : whole,
  )
}
