import { parseDuration } from '@narthex/model/duration'
import { Labels } from '@narthex/model/labels'
import { parseGoFloat } from '@narthex/model/number'
import { addHistograms, subtractHistograms } from '../histogram/combine-histograms.ts'
import type { FloatHistogram } from '../histogram/float-histogram.ts'
import { parseAnySelector } from '../parse/parse.ts'
import { parseHistogram } from './histogram-notation.ts'

// `metric{a="b"} 1+2x3 _ stale`: series as Prometheus' evaluation tests and promtool's rule tests write them.

/** One value of a sequence: a number, 'stale', 'missing' (`_`) or a histogram. */
export type SequenceValue = number | 'stale' | 'missing' | FloatHistogram

export interface SeriesDescription {
  readonly labels: Labels
  readonly values: readonly SequenceValue[]
  /** Set by `metric{…}@st`: the values are start timestamps of the samples of the next line. */
  readonly startTimestamps: boolean
}

/** Values that one line may stand for. */
const valuesMax = 10_000_000

/** Labels and the sequence written out. Throws with what cannot be read. */
export function parseSeriesDescription(line: string): SeriesDescription {
  const { metric, rest } = splitMetric(line)
  const startTimestamps = rest.startsWith('@st')
  const values = expandSequence(startTimestamps ? rest.slice(3) : rest, startTimestamps)
  return { labels: parseMetric(metric), values, startTimestamps }
}

/** Labels of a metric written as a selector of equalities; `` and `{}` have none. Throws with what is wrong. */
export function parseMetric(text: string): Labels {
  if (text.trim() === '') return Labels.empty
  const matchers = parseAnySelector(text)
  const other = matchers.find(({ type }) => type !== '=')
  if (other !== undefined) throw new Error(`cannot read metric ${JSON.stringify(text)}: want =, got ${other.type}`)
  const names = matchers.map(({ name }) => name).filter((name) => name !== '__name__')
  const twice = names.find((name, i) => names.indexOf(name) < i)
  if (twice !== undefined) throw new Error(`cannot read metric ${JSON.stringify(text)}: label name ${JSON.stringify(twice)} is not unique`)
  return Labels.fromPairs(matchers.flatMap(({ name, value }) => [name, value]))
}

/** `1 2+3x4 _x2 stale`: the values of a series, one an interval. Throws with the item that cannot be read. */
export function parseSequence(text: string): SequenceValue[] {
  return expandSequence(text, false)
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
  return text.match(/(?:\{\{.*?\}\}|\S)+/gs) ?? []
}

const missingItem = /^_(?:x(\d+))?$/
// No hexadecimal ones: 0x20 is a zero and twenty more. As in Prometheus the words stand alone.
const number = '(?:\\d+\\.?\\d*|\\.\\d+)(?:e[+-]?\\d+)?'
const numberItem = new RegExp(`^([+-]?)(inf$|nan$|${number})(?:([+-])(${number}))?(?:x(\\d+))?$`, 'i')
const durationItem = /^([+-]?)([0-9a-z]+?)(?:([+-])([0-9a-z]+?))?(?:x(\d+))?$/
const histogramItem = /^\{\{(.*?)\}\}(?:([+-])\{\{(.*?)\}\})?(?:x(\d+))?$/s

function expandItem(item: string, areDurations: boolean, values: SequenceValue[]): void {
  const missing = missingItem.exec(item)
  if (missing !== null) repeat(values, Number(missing[1] ?? 1), () => 'missing')
  else if (item === 'stale') repeat(values, 1, () => 'stale')
  else if (item.startsWith('{{')) expandHistograms(item, values)
  else expandNumbers(item, areDurations, values)
}

/** `1+2x3` is the value and three more. */
function expandNumbers(item: string, areDurations: boolean, values: SequenceValue[]): void {
  const [, sign, first, stepSign, step, times] = (areDurations ? durationItem : numberItem).exec(item) ?? []
  if (first === undefined || (step !== undefined && times === undefined)) throw unreadable(item)
  const read = areDurations ? parseDuration : (text: string) => readValue(text, item)
  let value = (sign === '-' ? -1 : 1) * read(first)
  const increment = step === undefined ? 0 : (stepSign === '-' ? -1 : 1) * read(step)
  repeat(values, Number(times ?? 0) + 1, () => {
    const given = value
    value += increment
    return given
  })
}

function readValue(text: string, item: string): number {
  // Go's octal numbers, as in queries.
  const value = /^0[0-7]+$/.test(text) ? parseInt(text, 8) : parseGoFloat(text)
  if (value === undefined) throw unreadable(item)
  return value
}

function expandHistograms(item: string, values: SequenceValue[]): void {
  const [, first, sign, increment, times] = histogramItem.exec(item) ?? []
  if (first === undefined || (increment !== undefined && times === undefined)) throw unreadable(item)
  let histogram = parseHistogram(first)
  const step = increment === undefined ? undefined : parseHistogram(increment)
  let isFirst = true
  repeat(values, Number(times ?? 0) + 1, () => {
    if (step !== undefined && !isFirst) histogram = stepFrom(histogram, sign!, step, item)
    isFirst = false
    return histogram
  })
}

function stepFrom(histogram: FloatHistogram, sign: string, step: FloatHistogram, item: string): FloatHistogram {
  const combination = sign === '-' ? subtractHistograms(histogram, step) : addHistograms(histogram, step)
  if (combination === undefined) throw new Error(`cannot read value ${JSON.stringify(item)}: histograms of one kind only can be added`)
  return combination.histogram
}

function repeat(values: SequenceValue[], times: number, next: () => SequenceValue): void {
  if (values.length + times > valuesMax) throw new Error(`want at most ${valuesMax} values in a series`)
  for (let i = 0; i < times; i++) values.push(next())
}

function unreadable(item: string): Error {
  return new Error(
    `cannot read value ${JSON.stringify(item)}: want a number, number±number×times as 1+2x3, _, _x3, stale, or a histogram as {{count:1 sum:2}}`,
  )
}
