import { ByteWriter } from '@narthex/bytes/byte-writer'
import { writeHistogram } from '@narthex/promql/histogram/encode-histogram'
import type { FloatHistogram } from '@narthex/promql/histogram/float-histogram'
import { histogramOfColumns } from '@narthex/promql/histogram/histograms-of-columns'
import { parseExpression } from '@narthex/promql/parse/parse'
import { formatHistogramNotation } from '@narthex/promql/testing/histogram-notation'
import { makeDice, rollHistogram } from '@narthex/promql/testing/histograms'
import { parseSequence } from '@narthex/promql/testing/series-notation'
import { describe, expect, it } from 'vitest'
import { storeAnsweredHistograms, type AnsweredHistogram } from './answered-histograms.ts'
import { yieldsGauges } from './yields-gauges.ts'

/** As a server answers them, and back. */
function answer(histograms: readonly FloatHistogram[]): FloatHistogram[] {
  const answered = histograms.map((histogram, i): AnsweredHistogram => {
    const writer = new ByteWriter()
    writeHistogram(writer, String(i), histogram)
    const [, { count, sum, buckets = [] }] = JSON.parse(Buffer.from(writer.view()).toString()) as [
      number,
      { count: string; sum: string; buckets?: [number, string, string, string][] },
    ]
    const number = (text: string) => Number(text.replace('Inf', 'Infinity'))
    return {
      timeMs: i,
      ...{ count: number(count), sum: number(sum) },
      buckets: buckets.map(([ends, lower, upper, n]) => ({
        lower: number(lower),
        upper: number(upper),
        count: Number(n),
        isClosed: ends === 3,
      })),
    }
  })
  const columns = storeAnsweredHistograms(answered)
  return histograms.map((_, i) => histogramOfColumns(columns, i))
}

const answerText = (text: string) =>
  answer(parseSequence(text) as FloatHistogram[])
    .map(formatHistogramNotation)
    .join(' ')

describe('histograms of an answer are those that the server had', () => {
  it.each([
    '{{schema:1 count:22 sum:-0.3 z_bucket:7.1 z_bucket_w:0.05 offset:-3 buckets:[5.1 0 7] n_offset:-5 n_buckets:[4.1 5]}}',
    '{{schema:8 count:3 sum:1 offset:-1000 buckets:[1 2]}}',
    '{{schema:-4 count:3 sum:1 offset:-3 buckets:[1 2]}}',
    // The zero bucket cuts off the one beside it.
    '{{schema:2 count:4 sum:1 z_bucket:1 z_bucket_w:1.1 offset:1 buckets:[1 2]}}',
    '{{count:1 sum:NaN z_bucket:1}}',
    '{{schema:-53 count:6 sum:4.5 custom_values:[-1 0.5 2] buckets:[1 1 2 2]}}',
  ])('%s', (text) => {
    expect(answerText(text)).toBe(text)
  })

  it.each(Array.from({ length: 200 }, (_, seed) => seed))('whatever it is (seed %i)', (seed) => {
    // No buckets lie inside the zero bucket: of those an answer tells nothing that could be taken apart again.
    const rolled = rollHistogram(makeDice(seed), false).with({ zeroThreshold: 0.001 })
    const [read] = answer([rolled])
    const [wanted, got] = [rolled, read!].map((one) => ({ ...one.compact(), zeroThreshold: one.zeroCount > 0 ? one.zeroThreshold : 0 }))
    const isEmpty = wanted!.positive.counts.length + wanted!.negative.counts.length === 0
    expect({ ...got, schema: isEmpty ? 0 : got!.schema }).toEqual({ ...wanted, schema: isEmpty ? 0 : wanted!.schema })
  })

  it('but for what no answer tells: those without observations have the layout of their neighbours', () => {
    expect(answerText('{{}} {{schema:3 count:1 sum:1 buckets:[1]}} {{}}')).toBe(
      '{{schema:3}} {{schema:3 count:1 sum:1 buckets:[1]}} {{schema:3}}',
    )
    expect(
      answerText(
        '{{schema:-53 count:1 sum:1 custom_values:[1 3 9] buckets:[0 0 1]}} {{schema:-53 count:1 sum:1 custom_values:[1 3 9] buckets:[1]}}',
      ),
    ).toBe(
      '{{schema:-53 count:1 sum:1 custom_values:[1 3 9] offset:2 buckets:[1]}} {{schema:-53 count:1 sum:1 custom_values:[1 3 9] buckets:[1]}}',
    )
  })
})

describe('the native histograms of an expression are', () => {
  it.each(['rate(h[5m])', 'sum by (a) (increase(h[5m]))', 'h - h', '-h', '2 * (rate(h[5m]))', 'sum_over_time(rate(h[5m])[1h:])'])(
    'gauges: %s',
    (text) => {
      expect(yieldsGauges(parseExpression(text, {}))).toBe(true)
    },
  )

  it.each(['h', 'sum(h)', 'h * 2', 'h and rate(h[5m])'])('counters: %s', (text) => {
    expect(yieldsGauges(parseExpression(text, {}))).toBe(false)
  })
})
