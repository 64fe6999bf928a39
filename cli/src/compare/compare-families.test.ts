import { parseFamilies } from '@narthex/exporter-kit/family-parser'
import { describe, expect, test } from 'vitest'
import { byName, compareFamilies, type CompareFamiliesOptions, type Families } from './compare-families.ts'
import { describeComparison, isAddition } from './describe-families.ts'

const read = (text: string): Families => byName(parseFamilies(Buffer.from(text)))

function compare(original: string, other: string, options: Partial<CompareFamiliesOptions> & { readonly laterText?: string } = {}) {
  return compareFamilies(read(original), read(other), {
    isIgnored: () => false,
    comparesValues: true,
    toleranceOf: () => 0,
    ...(options.laterText === undefined ? {} : { later: read(options.laterText) }),
    ...options,
  })
}

const report = (...parameters: Parameters<typeof compare>): string => describeComparison(compare(...parameters), 10)

describe('two scrapes', () => {
  test('that hold the same are the same, whatever the help, the order and the form of the numbers', () => {
    const a = '# HELP a One.\n# TYPE a counter\na{x="1",y="2"} 1000\n# TYPE b gauge\nb NaN\n'
    const b = '# TYPE b gauge\nb NaN\n# HELP a Other.\n# TYPE a counter\na{y="2",x="1"} 1e3\n'
    expect(compare(a, b)).toMatchObject({ families: 2, same: 2, differences: [] })
  })

  test('differ by a family, with what dashboards need to know of it', () => {
    expect(report('# TYPE a gauge\na{x="1"} 1\na{y="1"} 2\nb 1\n', 'b 1\nc 1\n')).toBe(
      'only the first has these families: 1\n  a: gauge {x,y}, 2 samples\nonly the second has these families: 1\n  c: untyped, 1 sample\n',
    )
  })

  test('differ by a type', () => {
    expect(report('# TYPE a counter\na 1\n', '# TYPE a gauge\na 1\n')).toBe('other types: 1\n  a: want counter, got gauge\n')
  })

  test('differ by a label name, told once; the samples are compared without it', () => {
    expect(report('a{cpu="0"} 1\na{cpu="1"} 2\n', 'a{core="0",cpu="0"} 1\na{core="0",cpu="1"} 3\n')).toBe(
      'other label names: 1\n  a: +core\nother values: 1\n  a{cpu="1"}: want 2, got 3\n',
    )
    // Without the label both samples are one: their values cannot be told apart.
    expect(report('a{x="1"} 1\na{x="2"} 2\n', 'a{y="1"} 5\n')).toBe('other label names: 1\n  a: -x +y\n')
  })

  test('differ by a sample', () => {
    expect(report('a{x="1"} 1\na{x="2"} 2\n', 'a{x="1"} 1\na{x="3\\n"} 3\n')).toBe(
      'only the first has these samples: 1\n  a{x="2"} 2\nonly the second has these samples: 1\n  a{x="3\\n"} 3\n',
    )
  })

  test('differ by a bucket', () => {
    const histogram = (count: number): string =>
      `# TYPE h histogram\nh_bucket{le="1"} ${count}\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n`
    expect(report(histogram(1), histogram(2))).toBe('other values: 1\n  h_bucket{le="1"}: want 1, got 2\n')
  })

  test.each([
    [100, 100, 0, true],
    [100, 101, 0, false],
    [100, 101, 0.0099, false],
    [100, 101, 0.01, true],
    [0, 1, 0.5, false],
    [Infinity, Infinity, 0, true],
    [Infinity, 1, 0.5, false],
    [NaN, 1, 0.5, false],
  ])('values %s and %s with a tolerance of %s: the same is %s', (want, got, tolerance, isSame) => {
    const text = (value: number): string => `a ${value === Infinity ? '+Inf' : value}\n`
    expect(compare(text(want), text(got), { toleranceOf: () => tolerance }).differences.length === 0).toBe(isSame)
  })

  test('are not compared by value, or in families that are ignored, where that is not wanted', () => {
    expect(compare('a 1\nb 1\n', 'a 2\nc 1\n', { comparesValues: false, isIgnored: (name) => name !== 'a' })).toMatchObject({
      families: 1,
      ignored: 2,
      differences: [],
    })
  })
})

describe('a second reading of the first', () => {
  const counter = (value: number): string => `# TYPE a counter\na ${value}\n`
  const gauge = (value: number): string => `# TYPE a gauge\na ${value}\n`

  test.each([
    ['a counter between is the same', counter(1), counter(2), counter(3), '', 0],
    ['a counter at the edge is the same', counter(1), counter(3), counter(3), '', 0],
    ['a counter below is told', counter(2), counter(1), counter(3), 'other values: 1\n  a: want 2 to 3, got 1\n', 0],
    ['a counter above is told', counter(2), counter(4), counter(3), 'other values: 1\n  a: want 2 to 3, got 4\n', 0],
    ['a gauge that stood still must be equal', gauge(2), gauge(4), gauge(2), 'other values: 1\n  a: want 2, got 4\n', 0],
    ['a gauge that moved may be elsewhere', gauge(2), gauge(9), gauge(3), '', 1],
    ['an untyped value that grew must lie between', 'a 1\n', 'a 5\n', 'a 3\n', 'other values: 1\n  a: want 1 to 3, got 5\n', 0],
    ['an untyped value that fell is like a gauge', 'a 3\n', 'a 5\n', 'a 1\n', '', 1],
    ['a sample that went is not missing', 'b 1\na{x="1"} 3\n', 'b 1\n', 'b 1\n', '', 1],
    ['a sample that came is not additional', 'a{x="1"} 3\n', 'a{x="1"} 3\na{x="2"} 3\n', 'a{x="1"} 3\na{x="2"} 3\n', '', 1],
    ['a family that came is not additional', 'b 1\n', 'b 1\na 1\n', 'b 1\na 1\n', '', 1],
  ])('%s', (_, before, other, laterText, text, moved) => {
    const comparison = compare(before, other, { laterText })
    expect(describeComparison(comparison, 10)).toBe(text)
    expect(comparison.moved).toBe(moved)
  })
})

test('of one family no more samples are told than wanted', () => {
  const lines = (value: number): string => Array.from({ length: 5 }, (_, i) => `a{x="${i}"} ${value}\n`).join('')
  expect(describeComparison(compare(lines(1), lines(2)), 2)).toBe(
    'other values: 5\n  a{x="0"}: want 1, got 2\n  a{x="1"}: want 1, got 2\n  a: 3 more\n',
  )
})

test('additions are what only the second has', () => {
  const { differences } = compare('a{x="1"} 1\nb 1\nd{x="1"} 1\n', 'a{x="1"} 1\na{x="2"} 1\nc 1\nd{x="1",y="1"} 1\n')
  expect(differences.map((difference) => [difference.kind, isAddition(difference)])).toEqual([
    ['additional sample', true],
    ['missing', false],
    ['additional', true],
    ['labels', true],
  ])
})
