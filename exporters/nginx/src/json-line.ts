import { accessLogFields, type FieldPlaces } from './access-log-fields.ts'

const quote = 34
const comma = 44
const colon = 58
const backslash = 92
const openBrace = 123
const closeBrace = 125
const openBracket = 91
const closeBracket = 93

const keys = accessLogFields.map((name) => new TextEncoder().encode(name))

/**
 * Finds the fields of a line of JSON (`log_format … escape=json '{"status": $status, …}'`), whose keys are named as NGINX' variables. Values
 * are texts or bare words; nested ones and other keys are skipped. NGINX writes what it is told to write, so this checks no more of the
 * syntax than it needs: false when there is no object, or it does not end.
 */
export function readJsonLine(bytes: Uint8Array, start: number, end: number, places: FieldPlaces): boolean {
  places.fill(0)
  let offset = skipBlanks(bytes, start, end)
  if (bytes[offset] !== openBrace || offset >= end) return false
  offset = skipBlanks(bytes, offset + 1, end)
  if (offset < end && bytes[offset] === closeBrace) return true
  for (;;) {
    if (offset >= end || bytes[offset] !== quote) return false
    const keyEnd = findQuote(bytes, offset + 1, end)
    if (keyEnd < 0) return false
    const field = findField(bytes, offset + 1, keyEnd)
    offset = skipBlanks(bytes, keyEnd + 1, end)
    if (offset >= end || bytes[offset] !== colon) return false
    offset = skipBlanks(bytes, offset + 1, end)
    const isText = offset < end && bytes[offset] === quote
    const valueEnd = isText ? findQuote(bytes, offset + 1, end) : skipValue(bytes, offset, end)
    if (valueEnd < 0) return false
    if (field >= 0) {
      places[2 * field] = isText ? offset + 1 : offset
      places[2 * field + 1] = valueEnd
    }
    offset = skipBlanks(bytes, isText ? valueEnd + 1 : valueEnd, end)
    if (offset >= end) return false
    if (bytes[offset] === closeBrace) return true
    if (bytes[offset] !== comma) return false
    offset = skipBlanks(bytes, offset + 1, end)
  }
}

/** The closing quote of a text that begins at `start`, -1 if there is none. */
function findQuote(bytes: Uint8Array, start: number, end: number): number {
  for (let offset = start; offset < end; offset++) {
    if (bytes[offset] === quote) return offset
    if (bytes[offset] === backslash) offset++
  }
  return -1
}

/** The end of a number, a word, or a nested array or object; -1 if a nested one does not end. */
function skipValue(bytes: Uint8Array, start: number, end: number): number {
  let depth = 0
  for (let offset = start; offset < end; offset++) {
    const byte = bytes[offset]!
    if (byte === quote) {
      offset = findQuote(bytes, offset + 1, end)
      if (offset < 0) return -1
    } else if (byte === openBrace || byte === openBracket) depth++
    else if (depth > 0 && (byte === closeBrace || byte === closeBracket)) {
      if (--depth === 0) return offset + 1
    } else if (depth === 0 && (byte === comma || byte === closeBrace || byte <= 32)) return offset
  }
  return -1
}

function findField(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!
    if (key.length !== length) continue
    let at = 0
    while (at < length && bytes[start + at] === key[at]) at++
    if (at === length) return i
  }
  return -1
}

function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let offset = start
  while (offset < end && bytes[offset]! <= 32) offset++
  return offset
}
