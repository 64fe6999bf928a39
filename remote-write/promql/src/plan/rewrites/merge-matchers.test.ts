import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Matcher } from '@narthex/model/matcher'
import type { MatchType } from '@narthex/model/matcher'
import { planOf, selectorsOf } from '../../testing/plan-of.ts'
import { printScan } from '../print-plan.ts'
import { mergeAll, mergeMatchers } from './merge-matchers.ts'

function scanOf(selector: string): string {
  const [plan] = selectorsOf(mergeMatchers(planOf(selector)))
  return plan!.scan.matchers === undefined ? 'nothing' : printScan(plan!)
}

describe('matchers', () => {
  it.each([
    ['up{job="a",job="a"}', 'up{job="a"}'],
    ['up{job="a",job=~"a|b"}', 'up{job="a"}'],
    ['up{job="a",job!="b",job!~"c.*"}', 'up{job="a"}'],
    ['up{job=~"a"}', 'up{job="a"}'],
    ['up{job=~"a|b",job!="b"}', 'up{job="a"}'],
    ['up{job=~"a|b|c",job!="b",job!="x"}', 'up{job!="b",job=~"a|b|c"}'],
    ['up{job=~".*"}', 'up'],
    ['up{job=~".+",job!=""}', 'up{job=~".+"}'],
    ['up{job=~"a.*",job!="b"}', 'up{job=~"a.*"}'],
    ['up{job!~"a.*",job!="ab"}', 'up{job!~"a.*"}'],
    ['{__name__=~"up"}', 'up'],
    ['up{job!="a",job!="b"}', 'up{job!="a",job!="b"}'],
  ])('%s are asked for as %s', (written, scanned) => {
    expect(scanOf(written)).toBe(scanned)
  })

  it.each(['up{job="a",job="b"}', 'up{job="a",job!="a"}', 'up{job=~"a|b",job!~"[ab]"}', 'up{job="",job!=""}', 'up{job!~".*"}'])(
    'that contradict each other, as in %s, ask for nothing',
    (written) => {
      expect(scanOf(written)).toBe('nothing')
    },
  )

  it('stay as they were written beside the scan', () => {
    const [selector] = selectorsOf(mergeMatchers(planOf('absent(up{job="a",job="a"})')))
    expect(selector!.matchers).toHaveLength(3)
  })

  it('take the same values when they are merged', () => {
    const values = ['', 'a', 'b', 'ab', 'abc', 'c']
    const matcher = fc
      .tuple(
        fc.constantFrom<MatchType>('=', '!=', '=~', '!~'),
        fc.constantFrom(...values, 'a|b', '.*', '.+', 'a.*', '(a|)', '[^a]', 'a|a|c'),
      )
      .map(([type, value]) => new Matcher(type, 'x', value))
    fc.assert(
      fc.property(fc.array(matcher, { minLength: 1, maxLength: 4 }), (matchers) => {
        const merged = mergeAll(matchers)
        const accepted = (list: readonly Matcher[]) => values.filter((value) => list.every((each) => each.matches(value)))
        expect(merged === undefined ? [] : accepted(merged)).toEqual(accepted(matchers))
        expect(merged?.length ?? 0).toBeLessThanOrEqual(matchers.length)
      }),
      { numRuns: 1000 },
    )
  })
})
