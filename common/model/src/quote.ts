const plainText = /^[ !#-[\]-~]*$/

/**
 * A Go string literal in double quotes, as `strconv.Quote` (and so `%q`) writes it. Lone surrogates U+DC80…U+DCFF stand for the bytes 0x80…0xff of a
 * text that is not UTF-8.
 */
export function quoteText(text: string): string {
  if (plainText.test(text)) return `"${text}"`
  let quoted = '"'
  for (const character of text) quoted += escapeCharacter(character)
  return quoted + '"'
}

const namedEscapes: ReadonlyMap<string, string> = new Map([
  ['\x07', '\\a'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
  ['"', '\\"'],
  ['\\', '\\\\'],
])

// Go's unicode.IsPrint: letters, marks, numbers, punctuation, symbols and the ASCII space.
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u

function escapeCharacter(character: string): string {
  const named = namedEscapes.get(character)
  if (named !== undefined) return named
  if (printable.test(character)) return character
  const code = character.codePointAt(0)!
  if (code < 0x20 || code === 0x7f) return '\\x' + code.toString(16).padStart(2, '0')
  if (code >= 0xdc80 && code < 0xdd00) return '\\x' + (code - 0xdc00).toString(16)
  if (code >= 0xd800 && code < 0xe000) return '\\ufffd'
  return code < 0x10000 ? '\\u' + code.toString(16).padStart(4, '0') : '\\U' + code.toString(16).padStart(8, '0')
}
