import type { ByteWriter } from '@narthex/bytes/byte-writer'
import type { Labels } from '@narthex/model/labels'
import type { MetricType } from '@narthex/model/metric-type'
import { isValidLegacyLabelName, isValidLegacyMetricName } from '@narthex/model/name'
import { ExpositionError, quoteBytes } from './exposition-error.ts'
import { escapeText } from './lines.ts'
import { byteClasses, labelByte, nameByte } from './scan.ts'
import { parseSeriesText, SeriesTextError } from './series-text.ts'

/** A series text taken apart: what the series of one histogram or summary have in common, and what sets them apart. */
export interface SeriesKey {
  readonly name: string
  /**
   * The labels without the one that was asked for, as in a series text, its bytes as latin1: equal for equal labels, however a target
   * orders and spaces them.
   */
  readonly labels: string
  /** The value of the label that was asked for, undefined if there is none. */
  readonly bound: string | undefined
  /** Where that value stands; -1 where it is not plain. */
  readonly boundStart: number
  readonly boundEnd: number
}

/**
 * Takes the series text [start, end) apart, which a parser has accepted; `boundName` is `le` or `quantile`. Nearly all texts are plain ASCII
 * names and strings without escapes and are cut where they stand; others take the slow way of `parseSeriesText`; what it refuses is an ExpositionError.
 */
export function readSeriesKey(bytes: Uint8Array, start: number, end: number, boundName: string, type: MetricType): SeriesKey {
  return readPlain(bytes, start, end, boundName) ?? readSlowly(bytes, start, end, boundName, type)
}

function readPlain(bytes: Uint8Array, start: number, end: number, boundName: string): SeriesKey | undefined {
  let i = start
  while (i < end && (byteClasses[bytes[i]!]! & nameByte) !== 0) i++
  const name = latin1(bytes, start, i)
  if (i === end) return { name, labels: '', bound: undefined, boundStart: -1, boundEnd: -1 }
  if (i === start || bytes[i] !== 123) return undefined
  i++
  let bound: string | undefined
  let boundStart = -1
  let boundEnd = -1
  let labels = ''
  let pieces: string[] | undefined
  while (bytes[i] !== 125) {
    const nameStart = i
    while (i < end && (byteClasses[bytes[i]!]! & labelByte) !== 0) i++
    const nameEnd = i
    if (nameEnd === nameStart || bytes[i] !== 61 || bytes[i + 1] !== 34) return undefined
    i += 2
    const valueStart = i
    for (; bytes[i] !== 34; i++) if (i >= end || bytes[i] === 92 || bytes[i] === 10) return undefined
    const valueEnd = i++
    if (nameEnd - nameStart === boundName.length && latin1(bytes, nameStart, nameEnd) === boundName) {
      if (bound !== undefined) return undefined
      bound = latin1(bytes, valueStart, valueEnd)
      boundStart = valueStart
      boundEnd = valueEnd
    } else if (valueStart === valueEnd) {
      // An empty label is none.
    } else if (labels === '') {
      labels = latin1(bytes, nameStart, i)
    } else {
      pieces ??= [labels]
      pieces.push(latin1(bytes, nameStart, i))
    }
    if (bytes[i] === 44) i++
    else if (bytes[i] !== 125) return undefined
  }
  if (pieces !== undefined) labels = pieces.sort().join(',')
  return { name, labels, bound, boundStart, boundEnd }
}

function readSlowly(bytes: Uint8Array, start: number, end: number, boundName: string, type: MetricType): SeriesKey {
  const { pairs } = parseChecked(bytes, start, end, type)
  const pieces: string[] = []
  let name = ''
  let bound: string | undefined
  for (let i = 0; i < pairs.length; i += 2) {
    const [label, value] = [pairs[i]!, pairs[i + 1]!]
    if (label === '__name__') name = value
    else if (label === boundName) bound = value
    else pieces.push(`${isValidLegacyLabelName(label) ? label : `"${escapeText(label)}"`}="${escapeText(value)}"`)
  }
  const labels = pieces.map((piece) => Buffer.from(piece, 'utf8').toString('latin1'))
  return { name, labels: labels.sort().join(','), bound, boundStart: -1, boundEnd: -1 }
}

function parseChecked(bytes: Uint8Array, start: number, end: number, type: MetricType): Labels {
  try {
    return parseSeriesText(bytes, start, end, type)
  } catch (error) {
    if (!(error instanceof SeriesTextError)) throw error
    throw new ExpositionError(error.message, 0, `series ${quoteBytes(bytes, start, end)}`)
  }
}

/** Appends the series text of a key, under a name of the caller's. */
export function putSeriesText(out: ByteWriter, name: string, labels: string): void {
  const isLegacy = isValidLegacyMetricName(name)
  out.utf8(isLegacy ? name : `{"${escapeText(name)}"`)
  if (isLegacy && labels === '') return
  if (isLegacy) out.u8(123)
  else if (labels !== '') out.u8(44)
  out.raw(Buffer.from(labels, 'latin1'))
  out.u8(125)
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
}
