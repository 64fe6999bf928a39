const escape = /\\(?:([abfnrtv\\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))/y
const named: Readonly<Record<string, number>> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11, '\\': 92, '"': 34 }

/** Value of a Go string literal in double quotes; undefined if it is none or its bytes are not UTF-8. */
export function unquoteGo(literal: string): string | undefined {
  if (literal.length < 2 || !literal.startsWith('"') || !literal.endsWith('"')) return undefined
  const body = literal.slice(1, -1)
  // Escapes like \xc3 stand for single bytes, so the text is put together as UTF-8.
  const bytes: Buffer[] = []
  let at = 0
  while (at < body.length) {
    const next = body.indexOf('\\', at)
    const plain = next < 0 ? body.slice(at) : body.slice(at, next)
    if (/["\n]/.test(plain)) return undefined
    bytes.push(Buffer.from(plain))
    if (next < 0) break
    escape.lastIndex = next
    const match = escape.exec(body)
    if (match === null) return undefined
    const encoded = encodeEscape(match)
    if (encoded === undefined) return undefined
    bytes.push(encoded)
    at = escape.lastIndex
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(bytes))
  } catch {
    return undefined
  }
}

function encodeEscape(match: RegExpExecArray): Buffer | undefined {
  const [, letter, hex, short, long, octal] = match
  if (letter !== undefined) return Buffer.of(named[letter]!)
  if (hex !== undefined) return Buffer.of(Number.parseInt(hex, 16))
  if (octal !== undefined) {
    const byte = Number.parseInt(octal, 8)
    return byte > 255 ? undefined : Buffer.of(byte)
  }
  const code = Number.parseInt(short ?? long ?? '', 16)
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined
  return Buffer.from(String.fromCodePoint(code))
}
