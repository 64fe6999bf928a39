import { describe, expect, it } from 'vitest'
import { formatHistogramNotation, parseHistogram } from './histogram-notation.ts'
import { parseMetric, parseSequence, parseSeriesDescription } from './series-notation.ts'

function valuesOf(line: string): unknown {
  return parseSeriesDescription(line).values
}

describe('parseSeriesDescription', () => {
  it('writes sequences out', () => {
    expect(valuesOf('m 1 2.5 -3e2')).toEqual([1, 2.5, -300])
    expect(valuesOf('m 1+2x3')).toEqual([1, 3, 5, 7])
    expect(valuesOf('m 8-2x2 _ _x2 stale')).toEqual([8, 6, 4, 'missing', 'missing', 'missing', 'stale'])
    expect(valuesOf('m 010 08 1e-400 0x2')).toEqual([8, 8, 0, 0, 0, 0])
    expect(valuesOf('m 5x2 Inf -inf NaN')).toEqual([5, 5, 5, Infinity, -Infinity, NaN])
  })

  it('writes sequences of histograms out', () => {
    const values = parseSeriesDescription(
      'm {{schema:1 sum:1 count:2 buckets:[1 1] offset:-1}}+{{schema:1 sum:1 count:3 buckets:[3]}}x1 1',
    ).values
    const texts = values.map((value) => (typeof value === 'object' ? formatHistogramNotation(value) : value))
    expect(texts).toEqual(['{{schema:1 count:2 sum:1 offset:-1 buckets:[1 1]}}', '{{schema:1 count:5 sum:2 offset:-1 buckets:[1 4]}}', 1])
    expect(() => parseSeriesDescription('m {{schema:1 5}}')).toThrow('cannot read histogram: want name:value, got 5')
  })

  it('reads labels as a query would', () => {
    expect(parseSeriesDescription('m{a="b c", "d.e"="}"} 1').labels.toString()).toBe('{__name__="m", a="b c", "d.e"="}"}')
    expect(parseSeriesDescription('{} 1').labels.size).toBe(0)
  })

  it('complains about what is no sequence', () => {
    expect(() => parseSeriesDescription('m 1 two')).toThrow('cannot read value "two": want a number')
  })
})

describe('parseSequence', () => {
  it.each([
    '1+1',
    '1x',
    'stale2',
    '{{count:1}}+{{count:1}}',
    '{{count:1',
    '{{count:1}}x',
    '0x1p3',
    '1e400',
    '1+1e400x1',
    'NaNx2',
    'Infx2',
    '1+NaNx2',
    '1+Infx2',
    '1x-3',
    '1--1x3',
  ])('refuses %s', (text) => {
    expect(() => parseSequence(text)).toThrow('cannot read value')
  })

  it('repeats a histogram, and takes one from another', () => {
    const texts = parseSequence('{{count:3 sum:9}}x1 {{count:3 sum:9}}-{{count:1 sum:4}}x2').map((value) =>
      typeof value === 'object' ? formatHistogramNotation(value) : value,
    )
    const gauge = 'counter_reset_hint:gauge'
    expect(texts).toEqual([
      '{{count:3 sum:9}}',
      '{{count:3 sum:9}}',
      '{{count:3 sum:9}}',
      `{{count:2 sum:5 ${gauge}}}`,
      `{{count:1 sum:1 ${gauge}}}`,
    ])
  })

  it('has a bound', () => {
    expect(() => parseSequence('1x10000000')).toThrow('want at most 10000000 values in a series')
  })
})

describe('parseMetric', () => {
  it('takes equalities only', () => {
    expect(parseMetric('').size).toBe(0)
    expect(() => parseMetric('m{a=~"b"}')).toThrow('want =, got =~')
    expect(() => parseMetric('m{a="b",a="c"}')).toThrow('label name "a" is not unique')
  })
})

describe('the notation of a histogram', () => {
  it.each([
    '{{}}',
    '{{schema:1 count:22 sum:-0.3 z_bucket:7.1 z_bucket_w:0.05 offset:-3 buckets:[5.1 0 7] n_offset:-5 n_buckets:[4.1 5]}}',
    '{{schema:-53 count:3 sum:1e+06 custom_values:[0.5 2] counter_reset_hint:not_reset buckets:[1 2]}}',
    '{{count:1 sum:NaN counter_reset_hint:reset buckets:[1]}}',
  ])('%s is read and printed', (text) => {
    expect(formatHistogramNotation(parseHistogram(text.slice(2, -2)))).toBe(text)
  })

  it.each([
    ['cont:1', 'want one of schema, sum, count'],
    ['count:x', 'want a number as count, got x'],
    ['schema:9', 'want a schema of -4 to 8, or -53, got 9'],
    ['offset:1.5', 'want a whole number as offset'],
    ['buckets:1', 'want a list in brackets as buckets'],
    ['counter_reset_hint:maybe', 'want counter_reset_hint of unknown, not_reset, reset, gauge, got maybe'],
  ])('refuses %s', (text, problem) => {
    expect(() => parseHistogram(text)).toThrow(problem)
  })
})
