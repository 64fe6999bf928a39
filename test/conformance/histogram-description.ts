import { counterReset, gaugeHistogram, noReset, unknownReset, type ResetHint } from '@narthex/model/reset-hint'
import { FloatHistogram } from '@narthex/promql/histogram/float-histogram'
import type { BucketList } from '@narthex/promql/histogram/bucket-list'

const hints: Readonly<Record<string, ResetHint>> = {
  unknown: unknownReset,
  reset: counterReset,
  not_reset: noReset,
  gauge: gaugeHistogram,
}

/** `{{schema:1 sum:3 count:22 buckets:[5 10 7] offset:1}}`, the braces left out. Throws with what cannot be read. */
export function parseHistogram(text: string): FloatHistogram {
  const fields = new Map<string, string>()
  for (const [, name, value] of text.matchAll(/(\w+):(\[[^\]]*\]|\S+)/g)) fields.set(name!, value!)
  const rest = text.replaceAll(/(\w+):(\[[^\]]*\]|\S+)/g, '').trim()
  if (rest !== '') throw new Error(`cannot read histogram: want name:value, got ${rest}`)
  const number = (name: string) => readNumber(fields.get(name) ?? '0')
  const hint = fields.get('counter_reset_hint')
  return new FloatHistogram({
    schema: number('schema'),
    zeroThreshold: number('z_bucket_w'),
    zeroCount: number('z_bucket'),
    count: number('count'),
    sum: number('sum'),
    positive: readBuckets(fields.get('buckets') ?? '[]', number('offset')),
    negative: readBuckets(fields.get('n_buckets') ?? '[]', number('n_offset')),
    customValues: readNumbers(fields.get('custom_values') ?? '[]'),
    hint: hint === undefined ? unknownReset : hints[hint]!,
  })
}

function readNumbers(list: string): number[] {
  const inner = list.slice(1, -1).trim()
  return inner === '' ? [] : inner.split(/\s+/).map(readNumber)
}

function readNumber(text: string): number {
  const lower = text.toLowerCase()
  if (/^[+-]?inf$/.test(lower)) return lower.startsWith('-') ? -Infinity : Infinity
  return lower === 'nan' ? NaN : Number(text)
}

function readBuckets(list: string, offset: number): BucketList {
  const counts = Float64Array.from(readNumbers(list))
  return { indexes: Int32Array.from(counts, (_, i) => offset + i), counts }
}
