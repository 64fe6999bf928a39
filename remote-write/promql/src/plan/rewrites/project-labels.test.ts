import { describe, expect, it } from 'vitest'
import { planOf, selectorsOf } from '../../testing/plan-of.ts'
import { projectLabels } from './project-labels.ts'
import { shareParts } from './share-parts.ts'

function labels(query: string): (readonly string[] | undefined)[] {
  return selectorsOf(projectLabels(shareParts(planOf(query), true))).map(({ scan }) => scan.labels)
}

const naming = ['__name__', '__type__', '__unit__']

describe('a scan below an aggregation', () => {
  it('needs the labels of the groups, and those that remarks name', () => {
    expect(labels('count by (x, y) (a)')).toEqual([['x', 'y']])
    expect(labels('max({x="1"})')).toEqual([[]])
    expect(labels('sum by (x) (a)')).toEqual([['x', ...naming]])
    expect(labels('sum by (x) (rate(a[5m]))')).toEqual([['x', ...naming]])
    expect(labels('count by (x) (abs(-a) * 2 > bool 1)')).toEqual([['x', ...naming]])
    expect(labels('quantile by (x) (scalar(b), a)')).toEqual([undefined, ['x']])
  })

  it.each([
    'sum without (x) (a)',
    'topk by (x) (1, a)',
    'sum by (x) (label_replace(a, "x", "$1", "y", "(.*)"))',
    'sum by (x) (histogram_quantile(0.9, a))',
    'sum by (x) (rate({y="1"}[5m]))',
    'sum by (x) (max_over_time(a[1h:1m]))',
    'a',
  ])('needs all labels: %s', (query) => {
    expect(labels(query)).toEqual([undefined])
  })

  it('needs all labels on either side of a match, and where it is shared', () => {
    expect(labels('sum by (x) (a + b)')).toEqual([undefined, undefined])
    expect(labels('sum by (x) (abs(a)) + sum by (y) (abs(a))')).toEqual([undefined, undefined])
    expect(labels('sum by (x) (a + on (x) sum by (x) (b))')).toEqual([undefined, ['x', ...naming]])
  })
})
