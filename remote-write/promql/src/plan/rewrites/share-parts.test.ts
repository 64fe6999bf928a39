import { describe, expect, it } from 'vitest'
import { allParts, planOf } from '../../testing/plan-of.ts'
import { printHead } from '../print-plan.ts'
import { shareParts } from './share-parts.ts'

/** `head number×uses` of each part that is shared, in the order in which they are written. */
function shared(query: string, isRange = true): string[] {
  return allParts(shareParts(planOf(query), isRange)).flatMap((part) =>
    part.shared === undefined ? [] : [`${printHead(part)} ${part.shared.number}×${part.shared.uses}`],
  )
}

describe('of equal parts', () => {
  it('the largest is shared', () => {
    expect(shared('rate(a[5m]) / rate(a[5m])')).toEqual(['rate() 1×2', 'rate() 1×2'])
    expect(shared('a / (a + b)')).toEqual(['a 1×2', 'a 1×2'])
  })

  it('those inside are shared if they stand elsewhere, too', () => {
    expect(shared('(a + b) / (a + b)')).toEqual(['+ 1×2', '+ 1×2'])
    expect(shared('(a + b) / (a + b) * a')).toEqual(['+ 2×2', 'a 1×2', '+ 2×2', 'a 1×2', 'a 1×2'].map(renumber))
  })

  it('all that is said counts, but not how', () => {
    expect(shared('a{x="1"} + a { x = "1" }')).toHaveLength(2)
    for (const query of [
      'a + a offset 1m',
      'a{x="1"} + a{x="2"}',
      'rate(a[5m]) + rate(a[6m])',
      'sum(a) + sum by (x) (a)',
      'a @ 1 + a @ 2',
    ]) {
      expect(shared(query).filter((text) => !text.startsWith('a '))).toEqual([])
    }
    expect(shared('(a == bool 1) + (a == 1)')).toEqual(['a 1×2', 'a 1×2'])
    expect(shared('(a + on (x) b) + (a + on (y) b)')).toEqual(['a 1×2', 'b 2×2', 'a 1×2', 'b 2×2'])
  })

  it('those under different subqueries are different', () => {
    expect(shared('max_over_time(a[1h:1m]) - min_over_time(a[1h:1m])')).toEqual(['a 1×2', 'a 1×2'])
    expect(shared('max_over_time(a[1h:1m]) - min_over_time(a[1h:2m])')).toEqual([])
    expect(shared('max_over_time(a[1h:1m]) - a')).toEqual([])
  })
})

describe('not shared', () => {
  it('is what reads nothing, what is read as samples, and what is not evaluated by itself', () => {
    expect(shared('vector(1) + vector(1)')).toEqual([])
    expect(shared('max_over_time(a[5m]) - min_over_time(a[5m])')).toEqual([])
    expect(shared('timestamp(a) + timestamp(a) * a')).toEqual(['timestamp() 1×2', 'timestamp() 1×2'])
    expect(shared('timestamp(a) * a')).toEqual([])
  })

  it('is a selector at one step that an aggregation takes at once', () => {
    expect(shared('sum(a) / count(a)', false)).toEqual([])
    expect(shared('sum(a) / count(a)', true)).toHaveLength(2)
    expect(shared('sum(rate(a[5m])) / count(rate(a[5m]))', false)).toHaveLength(2)
    expect(shared('a > 1 and a < 2', false)).toHaveLength(2)
  })

  it('makes the plan another', () => {
    const plan = planOf('sum(a) + b')
    expect(shareParts(plan, true)).toBe(plan)
  })
})

/** Numbers are given in the order in which parts are met: the larger ones first. */
function renumber(text: string): string {
  return text.replace(/ ([12])×/, (_, number: string) => ` ${3 - Number(number)}×`)
}
