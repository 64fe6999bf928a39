// How go-yaml reads a scalar's text, which is neither YAML 1.1 nor 1.2: what a text means depends on the type it is read into.

export type GoTag = '!!str' | '!!int' | '!!float' | '!!bool' | '!!null' | '!!timestamp'

/** Words that go-yaml takes for booleans, in a boolean field or without a type. */
const trueWords: ReadonlySet<string> = new Set(['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'])
const falseWords: ReadonlySet<string> = new Set(['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'])

const floatText = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/
const timestampText = /^[0-9]{4}-[0-9][0-9]?-[0-9][0-9]?([Tt \t]|$)/

export function isNullText(text: string): boolean {
  return text === '' || text === '~' || text === 'null' || text === 'Null' || text === 'NULL'
}

export function parseBooleanText(text: string): boolean | undefined {
  return trueWords.has(text) ? true : falseWords.has(text) ? false : undefined
}

/** Decimal, 0x…, 0b…, 0o…, and octal with a leading 0; underscores between digits are skipped. */
export function parseIntegerText(text: string): bigint | undefined {
  const plain = text.replaceAll('_', '')
  const match = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)$/.exec(plain)
  if (match === null) return undefined
  const digits = match[2]!
  const octal = /^0([0-7]+)$/.exec(digits)
  const value = BigInt(octal === null ? digits.toLowerCase() : `0o${octal[1]}`)
  return match[1] === '-' ? -value : value
}

export function parseFloatText(text: string): number | undefined {
  const plain = text.replaceAll('_', '')
  if (floatText.test(plain)) return Number(plain)
  if (/^\+?\.(inf|Inf|INF)$/.test(plain)) return Infinity
  if (/^-\.(inf|Inf|INF)$/.test(plain)) return -Infinity
  if (/^\.(nan|NaN|NAN)$/.test(plain)) return NaN
  const integer = parseIntegerText(plain)
  return integer === undefined ? undefined : Number(integer)
}

/** The tag go-yaml gives a plain scalar without one; shown in error texts and used for untyped values. */
export function findPlainTag(text: string): GoTag {
  if (isNullText(text)) return '!!null'
  if (parseBooleanText(text) !== undefined) return '!!bool'
  if (parseIntegerText(text) !== undefined) return '!!int'
  if (parseFloatText(text) !== undefined) return '!!float'
  return timestampText.test(text) ? '!!timestamp' : '!!str'
}

/** The value of a plain scalar that is read without a type (template data, claims). */
export function resolvePlain(text: string): string | number | boolean | null {
  switch (findPlainTag(text)) {
    case '!!null':
      return null
    case '!!bool':
      return parseBooleanText(text)!
    case '!!int':
    case '!!float':
      return parseFloatText(text)!
    default:
      return text
  }
}
