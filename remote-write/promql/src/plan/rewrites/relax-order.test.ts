import { describe, expect, it } from 'vitest'
import { planOf, selectorsOf } from '../../testing/plan-of.ts'
import { relaxOrder } from './relax-order.ts'
import { shareParts } from './share-parts.ts'

function anyOrder(query: string, isRange: boolean): boolean[] {
  return selectorsOf(relaxOrder(shareParts(planOf(query), isRange), isRange)).map(({ scan }) => scan.anyOrder)
}

describe('the order of series', () => {
  it.each([
    ['sum(a)', [true], [true]],
    ['sum by (x) (rate(a[5m]))', [true], [false]],
    ['a', [false], [false]],
    ['rate(a[5m])', [false], [false]],
    ['topk(1, a)', [false], [false]],
    ['sum(topk(1, a))', [false], [false]],
    ['topk(1, sum by (x) (a))', [false], [false]],
    ['absent(a)', [true], [true]],
    ['vector(scalar(a))', [true], [true]],
    ['a and b', [false, true], [false, true]],
    ['sum by (x) (a) / sum by (x) (b)', [true, true], [false, false]],
    ['sum by (x, y) (a) / on (x) group_left () sum by (x) (b)', [true, true], [false, false]],
    ['sum by (x, y) (a) / on (x) group_left () sum by (x, z) (b)', [false, false], [false, false]],
    ['sum by (x, y) (a) / ignoring (y) group_left () sum by (x) (b)', [true, true], [false, false]],
    ['sum(a / b)', [true, true], [true, true]],
    ['sum(a / on (x) b)', [false, false], [false, false]],
    ['sum(info(a))', [false], [false]],
    ['max_over_time(sum by (x) (a)[1h:1m])', [true], [false]],
  ] as const)('of %s: in a range query free %j, at one instant %j', (query, inRange, atInstant) => {
    expect(anyOrder(query, true)).toEqual(inRange)
    expect(anyOrder(query, false)).toEqual(atInstant)
  })

  it('of a shared part is that of the use which minds most', () => {
    expect(anyOrder('sum(abs(a)) + on () count(abs(a))', true)).toEqual([true, true])
    expect(anyOrder('topk(1, abs(a)) + on () sum(abs(a))', true)).toEqual([false, false])
  })
})
