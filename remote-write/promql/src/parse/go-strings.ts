// Go string literals: unquoting with positions of errors, and quoting as strconv.Quote does.

const encoder = new TextEncoder()

/** Thrown by `unquote`; the text is what Prometheus' strutil and lexer say. */
export class UnquoteError extends Error {
  override name = 'UnquoteError'
}

const simpleEscapes: Record<string, number> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11, '\\': 92, "'": 39, '"': 34 }

/**
 * Value of a literal in '…', "…" or `…`. Bytes that are not UTF-8 (from \xff) come out as lone surrogates U+DC80…U+DCFF, so that
 * `isWellFormed()` tells such a string from a valid one.
 */
export function unquote(literal: string): string {
  const quote = literal[0]
  if (literal.length < 2 || literal[literal.length - 1] !== quote) throw new UnquoteError('invalid syntax')
  const body = literal.slice(1, -1)
  if (quote === '`') return body
  if (!body.includes('\\')) return body
  const bytes: number[] = []
  let i = 0
  while (i < body.length) {
    const char = body[i]!
    if (char !== '\\') {
      const codePoint = body.codePointAt(i)!
      const text = String.fromCodePoint(codePoint)
      bytes.push(...encoder.encode(text))
      i += text.length
      continue
    }
    i = readEscape(body, i + 1, bytes)
  }
  return decodeWithSurrogates(bytes)
}

/** Reads the escape whose first character after the backslash is at `at`; returns the offset behind it. */
function readEscape(body: string, at: number, bytes: number[]): number {
  const char = body[at]
  if (char === undefined) throw new UnquoteError('escape sequence not terminated')
  const simple = simpleEscapes[char]
  if (simple !== undefined) {
    bytes.push(simple)
    return at + 1
  }
  if (char >= '0' && char <= '7') {
    const value = readDigits(body, at, 3, 8)
    if (value > 255) throw new UnquoteError('escape sequence is an invalid Unicode code point')
    bytes.push(value)
    return at + 3
  }
  const digits = char === 'x' ? 2 : char === 'u' ? 4 : char === 'U' ? 8 : 0
  if (digits === 0) throw new UnquoteError(`unknown escape sequence ${describeRune(body, at)}`)
  const value = readDigits(body, at + 1, digits, 16)
  if (char === 'x') bytes.push(value)
  else {
    if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) throw new UnquoteError('escape sequence is an invalid Unicode code point')
    bytes.push(...encoder.encode(String.fromCodePoint(value)))
  }
  return at + 1 + digits
}

function readDigits(body: string, at: number, count: number, base: number): number {
  let value = 0
  for (let i = at; i < at + count; i++) {
    const char = body[i]
    if (char === undefined) throw new UnquoteError('escape sequence not terminated')
    const digit = Number.parseInt(char, base)
    if (Number.isNaN(digit)) throw new UnquoteError(`illegal character ${describeRune(body, i)} in escape sequence`)
    value = value * base + digit
  }
  return value
}

/** Go's %#U: `U+0063 'c'`. */
function describeRune(text: string, at: number): string {
  const codePoint = text.codePointAt(at)!
  return `U+${codePoint.toString(16).toUpperCase().padStart(4, '0')} '${String.fromCodePoint(codePoint)}'`
}

function decodeWithSurrogates(bytes: number[]): string {
  const raw = Uint8Array.from(bytes)
  const text = new TextDecoder('utf-8', { ignoreBOM: true })
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  try {
    return strict.decode(raw)
  } catch {
    let result = ''
    let i = 0
    while (i < raw.length) {
      const length = validSequenceLength(raw, i)
      if (length === 0) result += String.fromCharCode(0xdc00 + raw[i++]!)
      else {
        result += text.decode(raw.subarray(i, i + length))
        i += length
      }
    }
    return result
  }
}

function validSequenceLength(bytes: Uint8Array, at: number): number {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
    try {
      strict.decode(bytes.subarray(at, at + length))
      return length
    } catch {
      // not a whole sequence yet
    }
  }
  return 0
}

const quoteEscapes: Record<string, string> = {
  '"': '\\"',
  '\\': '\\\\',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
}

/** Go's %q of a rune: `'x'`. */
export function quoteRune(char: string): string {
  if (char === "'") return "'\\''"
  if (char === '"') return `'"'`
  const known = quoteEscapes[char]
  if (known !== undefined) return `'${known}'`
  return `'${isPrintable(char) ? char : escapeRune(char.codePointAt(0)!)}'`
}

function isPrintable(char: string): boolean {
  return char === ' ' || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(char)
}

function escapeRune(codePoint: number): string {
  if (codePoint < 0x80) return `\\x${codePoint.toString(16).padStart(2, '0')}`
  if (codePoint >= 0xdc80 && codePoint <= 0xdcff) return `\\x${(codePoint - 0xdc00).toString(16)}`
  if (codePoint < 0x10000) return `\\u${codePoint.toString(16).padStart(4, '0')}`
  return `\\U${codePoint.toString(16).padStart(8, '0')}`
}
