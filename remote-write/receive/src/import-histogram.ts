import type { BucketSpan, NativeHistogram } from '@narthex/model/native-histogram'
import { ImportLineError } from './import-line-error.ts'

/** A native histogram of a line; `isReset`: its source says that the counters fell since the sample before. */
export interface ImportedHistogram {
  readonly histogram: NativeHistogram
  readonly isReset: boolean
}

const keys: ReadonlySet<string> = new Set([
  ...['schema', 'count', 'sum', 'zero_threshold', 'zero_count', 'float', 'hint', 'custom_values'],
  ...['positive_spans', 'positive_buckets', 'negative_spans', 'negative_buckets'],
])

const namedNumbers: ReadonlyMap<unknown, number> = new Map<unknown, number>([
  [null, NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
])

/** An element of `"histograms"`, as an export writes it (server/src/export-histograms.ts). Whether it makes sense is the head's to say. Throws ImportLineError. */
export function readHistogramObject(value: unknown): ImportedHistogram {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ImportLineError(`want a histogram as an object, or "stale", got ${show(value)}`)
  const object = value as Readonly<Record<string, unknown>>
  const unknownKey = Object.keys(object).find((key) => !keys.has(key))
  if (unknownKey !== undefined) throw new ImportLineError(`unknown key ${JSON.stringify(unknownKey)} in a histogram`)
  const number = (key: string) => readNumber(key, object[key] === undefined ? 0 : object[key])
  const isFloat = object['float'] === true
  const hint = object['hint'] ?? ''
  if (hint !== '' && hint !== 'gauge' && hint !== 'reset')
    throw new ImportLineError(`want "hint" to be "gauge" or "reset", got ${JSON.stringify(hint)}`)
  const positive = readNumbers('positive_buckets', object['positive_buckets'])
  const negative = readNumbers('negative_buckets', object['negative_buckets'])
  const histogram: NativeHistogram = {
    schema: number('schema'),
    isFloat,
    count: number('count'),
    sum: number('sum'),
    zeroThreshold: number('zero_threshold'),
    zeroCount: number('zero_count'),
    positiveSpans: readSpans('positive_spans', object['positive_spans']),
    negativeSpans: readSpans('negative_spans', object['negative_spans']),
    positiveDeltas: isFloat ? [] : deltasOf(positive),
    negativeDeltas: isFloat ? [] : deltasOf(negative),
    positiveCounts: isFloat ? positive : [],
    negativeCounts: isFloat ? negative : [],
    customValues: readNumbers('custom_values', object['custom_values']),
    isGauge: hint === 'gauge',
  }
  if (!isFloat) checkWhole([histogram.count, histogram.zeroCount, ...positive, ...negative])
  return { histogram, isReset: hint === 'reset' }
}

function readNumber(key: string, value: unknown): number {
  const number = typeof value === 'number' ? value : namedNumbers.get(value)
  if (number === undefined) throw new ImportLineError(`want ${JSON.stringify(key)} to be a number, got ${show(value)}`)
  return number
}

function readNumbers(key: string, value: unknown = []): number[] {
  if (!Array.isArray(value)) throw new ImportLineError(`want ${JSON.stringify(key)} to be an array, got ${show(value)}`)
  return value.map((one) => readNumber(key, one))
}

/** Pairs of an offset and a length. */
function readSpans(key: string, value: unknown = []): BucketSpan[] {
  const isPair = (one: unknown) => Array.isArray(one) && one.length === 2 && one.every((part) => Number.isInteger(part)) && one[1] >= 0
  if (!Array.isArray(value) || !value.every(isPair))
    throw new ImportLineError(`want ${JSON.stringify(key)} to be pairs of an offset and a length, got ${show(value)}`)
  return (value as [number, number][]).map(([offset, length]) => ({ offset, length }))
}

function checkWhole(counts: readonly number[]): void {
  const other = counts.find((count) => !Number.isSafeInteger(count) || count < 0)
  if (other !== undefined)
    throw new ImportLineError(`want whole counts in a histogram that is not "float": true, got ${JSON.stringify(other)}`)
}

function deltasOf(counts: readonly number[]): number[] {
  return counts.map((count, i) => count - (i === 0 ? 0 : counts[i - 1]!))
}

function show(value: unknown): string {
  const text = JSON.stringify(value)
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`
}
