import { Labels } from '@narthex/model/labels'
import { parseDuration } from '@narthex/model/duration'
import { parseGoFloat } from '@narthex/model/number'
import type { FloatHistogram } from '@narthex/promql/histogram/float-histogram'
import { addHistograms, subtractHistograms } from '@narthex/promql/histogram/combine-histograms'
import { parseMetricSelector } from '@narthex/promql/parse/parse'
import { parseHistogram } from './histogram-description.ts'

/** One value of a sequence: a number, 'stale', 'missing' (`_`) or a histogram. */
export type SequenceValue = number | 'stale' | 'missing' | FloatHistogram

export interface SeriesDescription {
  readonly labels: Labels
  readonly values: readonly SequenceValue[]
  /** Set by `metric{…}@st`: the values are start timestamps of the samples of the next line. */
  readonly startTimestamps: boolean
}

/** `metric{a="b"} 1+2x3 _ stale`: labels and the sequence written out. Throws with what cannot be read. */
export function parseSeriesDescription(line: string): SeriesDescription {
  const { metric, rest } = splitMetric(line)
  const startTimestamps = rest.startsWith('@st')
  const values = expandSequence(startTimestamps ? rest.slice(3) : rest, startTimestamps)
  return { labels: parseMetric(metric), values, startTimestamps }
}

/** Labels of a metric written as a selector; `{}` is the empty label set. */
export function parseMetric(metric: string): Labels {
  if (/^\{\s*\}$/.test(metric)) return Labels.empty
  return Labels.fromPairs(parseMetricSelector(metric).flatMap(({ name, value }) => [name, value]))
}

/** Cuts behind the closing brace, or behind the name if there are no braces. */
function splitMetric(line: string): { metric: string; rest: string } {
  const name = /^[a-zA-Z_:][\w:]*/.exec(line)?.[0] ?? ''
  let at = name.length
  while (line[at] === ' ') at++
  if (line[at] !== '{' || line[at + 1] === '{') return { metric: name, rest: line.slice(name.length) }
  let quote = ''
  for (; at < line.length; at++) {
    const char = line[at]!
    if (quote !== '') {
      if (char === '\\' && quote !== '`') at++
      else if (char === quote) quote = ''
    } else if (char === '"' || char === "'" || char === '`') quote = char
    else if (char === '}') return { metric: line.slice(0, at + 1), rest: line.slice(at + 1) }
  }
  throw new Error(`cannot read series: want a closing brace, got ${line}`)
}

function expandSequence(text: string, areDurations: boolean): SequenceValue[] {
  const values: SequenceValue[] = []
  for (const item of splitItems(text)) expandItem(item, areDurations, values)
  return values
}

/** Separated by blanks; a histogram in {{…}} may hold some, also in its increments. */
function splitItems(text: string): string[] {
  const items: string[] = []
  let item = ''
  let depth = 0
  for (const char of text) {
    if (char === '{') depth++
    if (char === '}') depth--
    if (depth === 0 && /\s/.test(char)) {
      if (item !== '') items.push(item)
      item = ''
    } else item += char
  }
  if (item !== '') items.push(item)
  return items
}

const missingItem = /^_(?:x(\d+))?$/
const numberItem =
  /^([+-]?(?:inf|nan|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?))(?:([+-])((?:inf|nan|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)))?(?:x(\d+))?$/i
const durationItem = /^([+-]?)([0-9a-z]+?)(?:([+-])([0-9a-z]+?))?(?:x(\d+))?$/

function expandItem(item: string, areDurations: boolean, values: SequenceValue[]): void {
  const missing = missingItem.exec(item)
  if (missing !== null) {
    for (let i = 0; i < Number(missing[1] ?? 1); i++) values.push('missing')
    return
  }
  if (item.startsWith('{{')) {
    expandHistograms(item, values)
    return
  }
  if (item === 'stale') {
    values.push('stale')
    return
  }
  const [, sign, first, stepSign, step, times] = areDurations ? (durationItem.exec(item) ?? []) : numberParts(item)
  if (first === undefined) throw new Error(`cannot read sequence: want a number, _, stale or {{…}}, got ${item}`)
  const read = areDurations ? parseDuration : (text: string) => parseGoFloat(text)!
  let value = (sign === '-' ? -1 : 1) * read(first)
  const increment = step === undefined ? 0 : (stepSign === '-' ? -1 : 1) * read(step)
  for (let i = 0; i <= Number(times ?? 0); i++) {
    values.push(value)
    value += increment
  }
}

const histogramItem = /^\{\{(.*?)\}\}(?:([+-])\{\{(.*?)\}\})?(?:x(\d+))?$/

function expandHistograms(item: string, values: SequenceValue[]): void {
  const parts = histogramItem.exec(item)
  if (parts === null) throw new Error(`cannot read sequence: want {{…}} with an increment in {{…}}, got ${item}`)
  const [, first, sign, increment, times] = parts
  let histogram = parseHistogram(first!)
  const step = increment === undefined ? undefined : parseHistogram(increment)
  values.push(histogram)
  for (let i = 0; i < Number(times ?? 0); i++) {
    if (step !== undefined) {
      const combination = sign === '-' ? subtractHistograms(histogram, step) : addHistograms(histogram, step)
      if (combination === undefined) throw new Error(`cannot read sequence: histograms of one kind only can be added, got ${item}`)
      histogram = combination.histogram
    }
    values.push(histogram)
  }
}

function numberParts(item: string): (string | undefined)[] {
  const parts = numberItem.exec(item)
  return parts === null ? [] : [item, '', parts[1], parts[2], parts[3], parts[4]]
}
