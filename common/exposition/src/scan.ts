import { isUtf8 } from 'node:buffer'

// One bit per meaning of a byte.
export const nameStart = 1 // [a-zA-Z_:]
export const nameByte = 2 // [a-zA-Z0-9_:]
export const labelStart = 4 // [a-zA-Z_]
export const labelByte = 8 // [a-zA-Z0-9_]

export const byteClasses = new Uint8Array(256)
for (let byte = 0; byte < 128; byte++) {
  const char = String.fromCharCode(byte)
  if (/[a-zA-Z_]/.test(char)) byteClasses[byte] = nameStart | nameByte | labelStart | labelByte
  else if (char === ':') byteClasses[byte] = nameStart | nameByte
  else if (/[0-9]/.test(char)) byteClasses[byte] = nameByte | labelByte
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

/** True when [start, end) is UTF-8; pure ASCII is answered without leaving the loop. */
export function isUtf8Range(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i]! >= 128) return isUtf8(bytes.subarray(i, end))
  return true
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
