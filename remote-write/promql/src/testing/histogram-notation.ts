import { customBucketsSchema } from '@narthex/model/native-histogram'
import { formatFloatG, parseGoFloat } from '@narthex/model/number'
import { counterReset, gaugeHistogram, noReset, unknownReset, type ResetHint } from '@narthex/model/reset-hint'
import type { BucketList } from '../histogram/bucket-list.ts'
import { FloatHistogram } from '../histogram/float-histogram.ts'

// `{{schema:1 sum:3 count:22 buckets:[5 10 7] offset:1}}`: a histogram as Prometheus' evaluation tests and promtool's rule tests write it.

const hints: ReadonlyMap<string, ResetHint> = new Map([
  ['unknown', unknownReset],
  ['not_reset', noReset],
  ['reset', counterReset],
  ['gauge', gaugeHistogram],
])

const fieldNames: ReadonlySet<string> = new Set([
  ...['schema', 'sum', 'count', 'z_bucket', 'z_bucket_w', 'buckets', 'offset', 'n_buckets', 'n_offset'],
  ...['custom_values', 'counter_reset_hint'],
])

const field = /(\w+):\s*(\[[^\]]*\]|\S+)/g

/** Reads what stands between the braces. Throws with what cannot be read. */
export function parseHistogram(text: string): FloatHistogram {
  const fields = new Map<string, string>()
  for (const [, name, value] of text.matchAll(field)) {
    if (!fieldNames.has(name!)) throw new Error(`cannot read histogram: want one of ${[...fieldNames].join(', ')}, got ${name}`)
    fields.set(name!, value!)
  }
  const rest = text.replaceAll(field, '').trim()
  if (rest !== '') throw new Error(`cannot read histogram: want name:value, got ${rest}`)
  const number = (name: string) => readNumber(name, fields.get(name) ?? '0')
  const list = (name: string) => readNumbers(name, fields.get(name) ?? '[]')
  return new FloatHistogram({
    schema: readSchema(fields.get('schema') ?? '0'),
    zeroThreshold: number('z_bucket_w'),
    zeroCount: number('z_bucket'),
    count: number('count'),
    sum: number('sum'),
    positive: makeBuckets(list('buckets'), readIndex('offset', fields.get('offset') ?? '0')),
    negative: makeBuckets(list('n_buckets'), readIndex('n_offset', fields.get('n_offset') ?? '0')),
    customValues: list('custom_values'),
    hint: readHint(fields.get('counter_reset_hint') ?? 'unknown'),
  })
}

/** As Prometheus' `TestExpression`: fields that are 0 are left out, each sign's buckets are one run, with empty ones inside it. */
export function formatHistogramNotation(histogram: FloatHistogram): string {
  const { schema, count, sum, zeroCount, zeroThreshold, customValues, hint, positive, negative } = histogram.compact()
  const parts: string[] = []
  const add = (name: string, value: number) => {
    if (value !== 0) parts.push(`${name}:${formatFloatG(value)}`)
  }
  add('schema', schema)
  add('count', count)
  add('sum', sum)
  add('z_bucket', zeroCount)
  add('z_bucket_w', zeroThreshold)
  if (schema === customBucketsSchema) parts.push(`custom_values:[${customValues.map(formatFloatG).join(' ')}]`)
  if (hint !== unknownReset) parts.push(`counter_reset_hint:${[...hints].find(([, value]) => value === hint)![0]}`)
  const addBuckets = (name: string, offsetName: string, list: BucketList) => {
    if (list.counts.length === 0) return
    add(offsetName, list.indexes[0]!)
    parts.push(`${name}:[${fillGaps(list).map(formatFloatG).join(' ')}]`)
  }
  addBuckets('buckets', 'offset', positive)
  addBuckets('n_buckets', 'n_offset', negative)
  return `{{${parts.join(' ')}}}`
}

function readNumber(name: string, text: string): number {
  const value = parseGoFloat(text)
  if (value === undefined) throw new Error(`cannot read histogram: want a number as ${name}, got ${text}`)
  return value
}

function readIndex(name: string, text: string): number {
  if (!/^[+-]?\d{1,9}$/.test(text)) throw new Error(`cannot read histogram: want a whole number as ${name}, got ${text}`)
  return Number(text)
}

function readSchema(text: string): number {
  const schema = readIndex('schema', text)
  if (schema === customBucketsSchema || (schema >= -4 && schema <= 8)) return schema
  throw new Error(`cannot read histogram: want a schema of -4 to 8, or ${customBucketsSchema}, got ${text}`)
}

function readHint(text: string): ResetHint {
  const hint = hints.get(text)
  if (hint === undefined) throw new Error(`cannot read histogram: want counter_reset_hint of ${[...hints.keys()].join(', ')}, got ${text}`)
  return hint
}

function readNumbers(name: string, list: string): number[] {
  if (!list.startsWith('[')) throw new Error(`cannot read histogram: want a list in brackets as ${name}, got ${list}`)
  const inner = list.slice(1, -1).trim()
  return inner === '' ? [] : inner.split(/\s+/).map((text) => readNumber(name, text))
}

function makeBuckets(counts: readonly number[], offset: number): BucketList {
  return { indexes: Int32Array.from(counts, (_, i) => offset + i), counts: Float64Array.from(counts) }
}

function fillGaps({ indexes, counts }: BucketList): number[] {
  const filled: number[] = []
  for (let i = 0; i < counts.length; i++) {
    while (indexes[0]! + filled.length < indexes[i]!) filled.push(0)
    filled.push(counts[i]!)
  }
  return filled
}
