import type { ScrapedExemplar } from './parser.ts'
import { decodeUtf8, skipQuoted, unescapeLabel } from './scan.ts'
import { ValueParser } from './value-parser.ts'

const values = new ValueParser()

/**
 * The exemplar whose `{` stands at `start` in OpenMetrics text, up to `end`: `{a="b"} value [timestamp]`. A parser has accepted the text
 * before. The timestamp is cut to whole milliseconds, as Prometheus does.
 */
export function readExemplar(bytes: Uint8Array, start: number, end: number): ScrapedExemplar {
  const labels: string[] = []
  let i = start + 1
  while (bytes[i] !== 125) {
    if (bytes[i] === 44) i++
    const nameStart = i
    const isQuoted = bytes[i] === 34
    i = isQuoted ? skipQuoted(bytes, i, end, false) : bytes.indexOf(61, i)
    labels.push(isQuoted ? unescapeLabel(decodeUtf8(bytes, nameStart + 1, i - 1)) : decodeUtf8(bytes, nameStart, i))
    const valueStart = i + 1
    i = skipQuoted(bytes, valueStart, end, false)
    labels.push(unescapeLabel(decodeUtf8(bytes, valueStart + 1, i - 1)))
    if (bytes[i] === 44) i++
  }
  const valueEnd = tokenEnd(bytes, i + 2, end)
  const value = values.readToken(bytes, i + 2, valueEnd)
  if (valueEnd >= end || bytes[valueEnd] !== 32) return { labels, value, timestampMs: undefined }
  const seconds = values.readToken(bytes, valueEnd + 1, tokenEnd(bytes, valueEnd + 1, end))
  return { labels, value, timestampMs: Math.trunc(seconds * 1000) }
}

function tokenEnd(bytes: Uint8Array, start: number, end: number): number {
  let i = start
  while (i < end && bytes[i] !== 32 && bytes[i] !== 10) i++
  return i
}
