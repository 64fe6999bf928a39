import { isUtf8 } from 'node:buffer'

// One bit per meaning of a byte.
export const nameStart = 1 // [a-zA-Z_:]
export const nameByte = 2 // [a-zA-Z0-9_:]
export const labelStart = 4 // [a-zA-Z_]
export const labelByte = 8 // [a-zA-Z0-9_]
/** ASCII that means nothing inside of quotes: no quote, backslash or newline. */
export const plainByte = 16

export const byteClasses = new Uint8Array(256)
for (let byte = 0; byte < 128; byte++) {
  const char = String.fromCharCode(byte)
  if (/[a-zA-Z_]/.test(char)) byteClasses[byte] = nameStart | nameByte | labelStart | labelByte
  else if (char === ':') byteClasses[byte] = nameStart | nameByte
  else if (/[0-9]/.test(char)) byteClasses[byte] = nameByte | labelByte
  if (!/["\\\n]/.test(char)) byteClasses[byte]! |= plainByte
}

/** The offset behind the metric name bytes that begin at `start`. */
export function skipName(bytes: Uint8Array, start: number, end: number): number {
  const classes = byteClasses
  let i = start
  while (i < end && (classes[bytes[i]!]! & nameByte) !== 0) i++
  return i
}

/** The offset behind the label name bytes that begin at `start`. */
export function skipLabelName(bytes: Uint8Array, start: number, end: number): number {
  const classes = byteClasses
  let i = start
  while (i < end && (classes[bytes[i]!]! & labelByte) !== 0) i++
  return i
}

/**
 * The offset behind the quoted string that opens at `start`, or -1 when it does not end before `end`. A backslash takes the next byte with
 * it, unless that is a newline; `newlines` says whether a bare newline may stand inside.
 */
export function skipQuoted(bytes: Uint8Array, start: number, end: number, newlines: boolean): number {
  for (let i = start + 1; i < end; i++) {
    const byte = bytes[i]!
    if (byte === 34) return i + 1
    if (byte === 92) {
      if (++i >= end || bytes[i] === 10) return -1
    } else if (byte === 10 && !newlines) {
      return -1
    }
  }
  return -1
}

/**
 * As `skipQuoted`, for a string that has to be UTF-8 as well: -1 also when it is not. Short plain strings, which most label values are, take one
 * look-up a byte.
 */
export function skipQuotedUtf8(bytes: Uint8Array, start: number, end: number, newlines: boolean): number {
  const classes = byteClasses
  let i = start + 1
  while (i < end && (classes[bytes[i]!]! & plainByte) !== 0) i++
  if (i < end && bytes[i] === 34) return i + 1
  i = skipQuoted(bytes, start, end, newlines)
  return i < 0 || isUtf8Range(bytes, start, i) ? i : -1
}

/**
 * The offset of the first newline in [start, end), or `end`; as its complement (`~offset`) when the bytes before it may not be pure ASCII.
 * `view` is over the same bytes. Eight bytes a step: HELP texts are half of many answers.
 */
export function findLineEnd(bytes: Uint8Array, view: DataView, start: number, end: number): number {
  let i = start
  let seen = 0
  for (; i + 8 <= end; i += 8) {
    const low = view.getInt32(i, true)
    const high = view.getInt32(i + 4, true)
    // The newline becomes a zero byte; the lowest zero byte of a word sets its top bit, ASCII above it may too.
    const lowMark = low ^ 0x0a0a0a0a
    const highMark = high ^ 0x0a0a0a0a
    if (((((lowMark - 0x01010101) & ~lowMark) | ((highMark - 0x01010101) & ~highMark)) & 0x80808080) !== 0) break
    seen |= low | high
  }
  for (; i < end && bytes[i] !== 10; i++) seen |= bytes[i]!
  return (seen & 0x80808080) === 0 ? i : ~i
}

/** True when [start, end) is UTF-8; pure ASCII is answered without leaving the loop. */
export function isUtf8Range(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i]! >= 128) return isUtf8(bytes.subarray(i, end))
  return true
}

/** The index of the word that is [start, end), or -1. */
export function findWord(words: readonly Uint8Array[], bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!
    if (word.length !== length) continue
    let i = 0
    while (i < length && word[i] === bytes[start + i]) i++
    if (i === length) return index
  }
  return -1
}

export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8')
}

/** Label value escapes: `\\`, `\"` and `\n`; any other backslash stays. */
export function unescapeLabel(text: string): string {
  return text.includes('\\') ? text.replace(/\\[\\"n]/g, (escape) => (escape === '\\n' ? '\n' : escape[1]!)) : text
}

/** HELP escapes of text 0.0.4: `\\` and `\n`. */
export function unescapeHelp(text: string): string {
  return text.includes('\\') ? text.replace(/\\[\\n]/g, (escape) => (escape === '\\n' ? '\n' : '\\')) : text
}

/** The number of the line that `offset` is in, where `start` is in line 1. */
export function countLines(bytes: Uint8Array, start: number, offset: number): number {
  let line = 1
  for (let i = bytes.indexOf(10, start); i >= 0 && i < offset; i = bytes.indexOf(10, i + 1)) line++
  return line
}
