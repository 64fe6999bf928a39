const namedEscapes: Readonly<Record<string, number>> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11, '\\': 92, "'": 39, '"': 34 }

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * The text that a Go literal in double, back or single quotes stands for (`strconv.Unquote`); undefined if it is none.
 * Escaped bytes that are not UTF-8 become U+FFFD.
 */
export function unquote(literal: string): string | undefined {
  const quote = literal[0]
  if (literal.length < 2 || literal.at(-1) !== quote) return undefined
  const body = literal.slice(1, -1)
  if (quote === '`') return body.includes('`') ? undefined : body.replaceAll('\r', '')
  if (quote !== '"' && quote !== "'") return undefined
  if (body.includes('\n')) return undefined
  if (!body.includes('\\')) return body.includes(quote) ? undefined : onlySingle(body, quote)
  const bytes = unescape(body, quote)
  return bytes === undefined ? undefined : onlySingle(decoder.decode(Uint8Array.from(bytes)), quote)
}

/** Single quotes hold exactly one character. */
function onlySingle(text: string, quote: string): string | undefined {
  return quote === '"' || [...text].length === 1 ? text : undefined
}

function unescape(body: string, quote: string): number[] | undefined {
  const bytes: number[] = []
  for (let at = 0; at < body.length;) {
    if (body[at] === quote) return undefined
    if (body[at] !== '\\') {
      const character = String.fromCodePoint(body.codePointAt(at)!)
      bytes.push(...encoder.encode(character))
      at += character.length
      continue
    }
    const letter = body[at + 1]
    if (letter === undefined) return undefined
    const named = namedEscapes[letter]
    if (named !== undefined) {
      // The other kind of quote is not escaped.
      if ((letter === '"' || letter === "'") && letter !== quote) return undefined
      bytes.push(named)
      at += 2
      continue
    }
    const end = readNumericEscape(body, at + 1, quote, bytes)
    if (end < 0) return undefined
    at = end
  }
  return bytes
}

/** Appends what `\x41`, `\101`, `\u00e9` or `\U0001f600` stand for and gives the end; -1 if it is none of these. */
function readNumericEscape(body: string, at: number, quote: string, bytes: number[]): number {
  const match = /x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})/y
  match.lastIndex = at
  const found = match.exec(body)
  if (found === null) return -1
  const [, hex, octal, short, long] = found
  const code = octal !== undefined ? parseInt(octal, 8) : parseInt(hex ?? short ?? long!, 16)
  const isByte = (hex ?? octal) !== undefined
  if (isByte && code > 255) return -1
  if (code > 0x10ffff || (!isByte && code >= 0xd800 && code < 0xe000)) return -1
  if (isByte && quote === '"') bytes.push(code)
  else bytes.push(...encoder.encode(String.fromCodePoint(code)))
  return match.lastIndex
}
