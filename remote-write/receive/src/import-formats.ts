import { Labels } from '@narthex/model/labels'
import { parseGoFloat } from '@narthex/model/number'
import { findTimeUnit, parseTimeIn, timeUnits, type TimeUnit } from '@narthex/model/time-unit'
import { readHistogramObject } from './import-histogram.ts'
import { ImportLineError } from './import-line-error.ts'
import type { ImportedValue, LineReader } from './import-lines.ts'

/** Characters: objects take longer to read than numbers, and a line is read in one go. */
export const histogramLineLengthMax = 1024 * 1024
const samplesPerPiece = 256

/**
 * `{"metric":{"__name__":"up"},"values":[1,null,"stale"],"timestamps":[1700000000000,…]}`, as `/api/v1/export` writes it; times in ms. Native histograms stand
 * in `"histograms"` instead of `"values"`.
 */
export const readJsonLine: LineReader = function* (line, take) {
  if (line.length > histogramLineLengthMax && line.includes('"histograms"'))
    throw new ImportLineError(`want lines with histograms of at most ${histogramLineLengthMax} characters: give each fewer samples`)
  const object = parseObject(line)
  const { metric, timestamps, histograms } = object
  if (histograms !== undefined && object['values'] !== undefined) throw new ImportLineError('want "values" or "histograms", got both')
  const values = histograms ?? object['values']
  const readValue = histograms === undefined ? readJsonValue : readJsonHistogram
  if (typeof metric !== 'object' || metric === null || Array.isArray(metric)) throw new ImportLineError('want "metric" to be an object')
  if (!Array.isArray(values) || !Array.isArray(timestamps))
    throw new ImportLineError(`want "${histograms === undefined ? 'values' : 'histograms'}" and "timestamps" to be arrays`)
  if (values.length !== timestamps.length) {
    throw new ImportLineError(`want as many values as timestamps, got ${values.length} and ${timestamps.length}`)
  }
  const bad = Object.entries(metric).find(([, value]) => typeof value !== 'string')
  if (bad !== undefined) throw new ImportLineError(`want a text for label ${JSON.stringify(bad[0])}`)
  const labels = Labels.from(metric as Record<string, string>)
  for (let i = 0; i < values.length; i++) {
    const timeMs: unknown = timestamps[i]
    if (typeof timeMs !== 'number' || !Number.isSafeInteger(timeMs)) throw new ImportLineError('want timestamps to be whole milliseconds')
    take(labels, timeMs, readValue(values[i]))
    if (i % samplesPerPiece === samplesPerPiece - 1) yield undefined
  }
}

function parseObject(line: string): Readonly<Record<string, unknown>> {
  let content: unknown
  try {
    content = JSON.parse(line)
  } catch (cause) {
    throw new ImportLineError(`cannot read JSON: ${(cause as Error).message}`, { cause })
  }
  if (typeof content !== 'object' || content === null) throw new ImportLineError('want an object')
  return content as Readonly<Record<string, unknown>>
}

const namedValues: ReadonlyMap<unknown, ImportedValue> = new Map<unknown, ImportedValue>([
  [null, NaN],
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['+Inf', Infinity],
  ['Inf', Infinity],
  ['-Infinity', -Infinity],
  ['-Inf', -Infinity],
  ['stale', 'stale'],
])

function readJsonHistogram(value: unknown): ImportedValue {
  return value === 'stale' ? 'stale-histogram' : readHistogramObject(value)
}

function readJsonValue(value: unknown): ImportedValue {
  if (typeof value === 'number') return value
  const named = namedValues.get(value)
  if (named === undefined)
    throw new ImportLineError(`want a number, null, "Infinity", "-Infinity" or "stale", got ${JSON.stringify(value)}`)
  return named
}

type CsvColumn =
  | { readonly kind: 'metric'; readonly name: string }
  | { readonly kind: 'label'; readonly name: string }
  | { readonly kind: 'time'; readonly unit: TimeUnit }

const columnsMax = 100

/**
 * A reader for lines of CSV whose columns `format` names, counted from 1: `2:metric:temperature,1:time:unix_s,3:label:city`. Without a column of time samples
 * have the time `nowMs`. Throws ImportLineError for a format that makes no sense.
 */
export function createCsvReader(format: string, nowMs: number): LineReader {
  const columns = readFormat(format)
  return (line, take) => {
    const fields = splitFields(line)
    const pairs: string[] = []
    const metrics: [name: string, value: ImportedValue][] = []
    let timeMs = nowMs
    for (const [position, column] of columns) {
      const text = fields[position - 1]
      if (text === undefined) throw new ImportLineError(`want column ${position}, got ${fields.length} columns`)
      if (column.kind === 'label') pairs.push(column.name, text)
      else if (column.kind === 'time') timeMs = readTime(text, column.unit)
      // An empty field is no sample.
      else if (text !== '') metrics.push([column.name, readCsvValue(text)])
    }
    for (const [name, value] of metrics) take(Labels.fromPairs(['__name__', name, ...pairs]), timeMs, value)
    return undefined
  }
}

function readFormat(format: string): Map<number, CsvColumn> {
  const columns = new Map<number, CsvColumn>()
  if (format === '')
    throw new ImportLineError('no format parameter provided: want columns as in 2:metric:temperature,1:time:unix_s,3:label:city')
  for (const part of format.split(',')) {
    const [, position = '', kind = '', context = ''] = /^\s*(\d+):(\w+):(.+?)\s*$/.exec(part) ?? []
    const place = Number(position)
    if (place < 1 || place > columnsMax)
      throw new ImportLineError(`cannot read column ${JSON.stringify(part)}: want POSITION:metric|label|time:NAME`)
    if (columns.has(place)) throw new ImportLineError(`column ${place} is named twice`)
    columns.set(place, readColumn(kind, context))
  }
  const kinds = [...columns.values()].map(({ kind }) => kind)
  if (!kinds.includes('metric')) throw new ImportLineError('want a column with the values of a metric, as in 2:metric:temperature')
  if (kinds.filter((kind) => kind === 'time').length > 1) throw new ImportLineError('want one column of time at most')
  return columns
}

function readColumn(kind: string, context: string): CsvColumn {
  if (kind === 'metric' || kind === 'label') return { kind, name: context }
  if (kind !== 'time') throw new ImportLineError(`unknown kind of column ${JSON.stringify(kind)}: want metric, label or time`)
  const unit = findTimeUnit(context)
  if (unit === undefined) throw new ImportLineError(`unknown unit ${JSON.stringify(context)}: want one of ${timeUnits.join(', ')}`)
  return { kind, unit }
}

/** Fields in quotes may hold commas, and quotes twice. */
function splitFields(line: string): string[] {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line
  if (!text.includes('"')) return text.split(',')
  const fields: string[] = []
  for (let at = 0; at <= text.length; at++) {
    if (text[at] !== '"') {
      const end = text.indexOf(',', at)
      fields.push(text.slice(at, end < 0 ? undefined : end))
      at = end < 0 ? text.length : end
      continue
    }
    let field = ''
    for (at++; ; at++) {
      if (at >= text.length) throw new ImportLineError('want a closing quote')
      if (text[at] !== '"') field += text[at]
      else if (text[at + 1] === '"') field += text[at++]
      else break
    }
    fields.push(field)
    at++
    if (at < text.length && text[at] !== ',') throw new ImportLineError('want a comma behind a quoted field')
  }
  return fields
}

function readTime(text: string, unit: TimeUnit): number {
  const timeMs = parseTimeIn(unit, text)
  if (timeMs !== undefined) return timeMs
  const wanted = unit === 'rfc3339' ? 'as 2026-01-05T00:00:00Z' : `in ${unit}`
  throw new ImportLineError(`want a time ${wanted}, got ${JSON.stringify(text)}`)
}

function readCsvValue(text: string): ImportedValue {
  if (text === 'stale') return 'stale'
  const value = parseGoFloat(text)
  if (value === undefined) throw new ImportLineError(`want a number, got ${JSON.stringify(text)}`)
  return value
}
