import { Labels } from '@narthex/model/labels'
import type { MetricType } from '@narthex/model/metric-type'
import { formatOpenMetricsFloat, parseGoFloat } from '@narthex/model/number'
import { decodeUtf8, isUtf8Range, skipLabelName, skipName, skipQuoted, unescapeLabel } from './scan.ts'
import { readText } from './text-cache.ts'

/** Up to so many labels every name is compared with every other. */
const comparedLabelsMax = 16

/** A series text that parses but cannot be a series, as a label name used twice; the scrape fails as a whole. */
export class SeriesTextError extends Error {
  override name = 'SeriesTextError'
}

/**
 * The labels of a series text that a parser has accepted (`[seriesStart, seriesEnd)`), the slow way: once per new series. `type` is the
 * parser's: `le` of a histogram and `quantile` of a summary are written as OpenMetrics writes floats (`1` → `1.0`), so that a target may
 * change its format without changing its series. Throws SeriesTextError for a label name used twice or a name that is not UTF-8.
 */
export function parseSeriesText(bytes: Uint8Array, start: number, end: number, type: MetricType): Labels {
  const pairs: string[] = []
  let i = start
  if (bytes[i] !== 123) {
    i = skipName(bytes, i, end)
    pairs.push('__name__', readText(bytes, start, i))
  }
  i = skipSeparators(bytes, i, end)
  while (i < end && bytes[i] !== 125) {
    const nameStart = i
    const quoted = bytes[i] === 34
    i = quoted ? skipQuoted(bytes, i, end, true) : skipLabelName(bytes, i, end)
    if (i <= nameStart) throw new SeriesTextError(`cannot read series text: want a label name, got ${decodeUtf8(bytes, nameStart, end)}`)
    const name = quoted ? quotedText(bytes, nameStart, i) : readText(bytes, nameStart, i)
    i = skipSeparators(bytes, i, end)
    if (bytes[i] !== 61) {
      pairs.push('__name__', name)
      continue
    }
    const valueStart = skipSeparators(bytes, i + 1, end)
    i = skipQuoted(bytes, valueStart, end, true)
    pairs.push(name, normalizeLabelValue(type, name, quotedText(bytes, valueStart, i)))
    i = skipSeparators(bytes, i, end)
  }
  checkUnique(pairs)
  return Labels.fromPairs(pairs)
}

/** The parser has seen to it that separators stand where they may: here they are just skipped, with the opening brace. */
function skipSeparators(bytes: Uint8Array, start: number, end: number): number {
  let i = start
  while (i < end && (bytes[i] === 32 || bytes[i] === 9 || bytes[i] === 44 || bytes[i] === 123)) i++
  return i
}

function quotedText(bytes: Uint8Array, start: number, end: number): string {
  if (!isUtf8Range(bytes, start, end)) {
    throw new SeriesTextError(`invalid metric name or label names: ${decodeUtf8(bytes, start, end)}`)
  }
  return unescapeLabel(readText(bytes, start + 1, end - 1))
}

/** A label's value as it is kept: numbers of `le` and `quantile` as OpenMetrics writes them. */
export function normalizeLabelValue(type: MetricType, name: string, value: string): string {
  if ((type === 'summary' && name === 'quantile') || (type === 'histogram' && name === 'le')) {
    const number = parseGoFloat(value)
    if (number !== undefined) return formatOpenMetricsFloat(number)
  }
  return value
}

function checkUnique(pairs: readonly string[]): void {
  const seen = pairs.length > 2 * comparedLabelsMax ? new Set<string>() : undefined
  for (let i = 0; i < pairs.length; i += 2) {
    const name = pairs[i]!
    if (seen === undefined ? isAmong(pairs, i, name) : seen.has(name)) {
      throw new SeriesTextError(`label name "${name}" is not unique: invalid sample`)
    }
    seen?.add(name)
  }
}

function isAmong(pairs: readonly string[], end: number, name: string): boolean {
  for (let i = 0; i < end; i += 2) if (pairs[i] === name) return true
  return false
}
