import { describe, expect, it } from 'vitest'
import { evaluateInstant, evaluateRange, explainInstant, explainRange } from '../engine.ts'
import { listSeries } from '../testing/listed-series.ts'
import type { ExplainedPart } from './explain-plan.ts'

const minute = 60_000
const storage = listSeries(minute, { 'a_total{x="1"}': [1, 2, 3, 4], 'a_total{x="2"}': [10, undefined, 30, 40], 'b{x="1"}': [5, 5, 5, 5] })

/** The tree as indented lines, what was done to a part in braces. */
function draw({ operator, detail, rewrites, children }: ExplainedPart, indent = ''): string[] {
  const done = rewrites.length === 0 ? '' : ` {${rewrites.join('; ')}}`
  return [`${indent}${operator} ${detail}${done}`, ...children.flatMap((child) => draw(child, `${indent}  `))]
}

function plan(query: string): string[] {
  return draw(explainRange({}, query, 0, 3 * minute, minute))
}

describe('a plan', () => {
  it('shows operators from the top down, each as a query says it', () => {
    expect(plan('topk by (x) (2, -a_total offset 1m) > on (x) group_left () max_over_time(b[5m:]) ')).toEqual([
      'binary operator > on (x) group_left ()',
      '  aggregation topk by (x)',
      '    number 2',
      '    negation -',
      '      selector a_total offset 1m',
      '  function max_over_time()',
      '    subquery [5m:1m]',
      '      selector b',
    ])
  })

  it('has its durations and times settled', () => {
    expect(plan('sum_over_time(b[step() * 2] @ end() offset 90s)')).toEqual([
      'function sum_over_time() {the same at every step: evaluated once}',
      '  range selector b[2m] @ 180.000 offset 1m30s',
    ])
  })

  it('says what was done to a part', () => {
    expect(plan('sum by (x) (rate(a_total{x="1",x=~"1|2"}[2m])) or count by (x) (b{x="1",x="2"})')).toEqual([
      'binary operator or',
      '  aggregation sum by (x)',
      '    function rate()',
      '      range selector a_total{x="1",x=~"1|2"}[2m] {matchers merged: a_total{x="1"}; series in any order; labels only x, __name__, __type__, __unit__}',
      '  aggregation count by (x)',
      '    selector b{x="1",x="2"} {matchers contradict each other: not scanned}',
    ])
  })

  it('shows a common subexpression once, and where it stands again', () => {
    expect(plan('abs(b) / abs(b)')).toEqual([
      'binary operator /',
      '  function abs() {common subexpression 1: evaluated once for 2 uses}',
      '    selector b',
      '  function abs() {common subexpression 1: see above}',
    ])
  })

  it('of an instant query does not say that what has one step is evaluated once', () => {
    expect(draw(explainInstant({}, 'b @ 10', 0))).toEqual(['selector b @ 10.000'])
  })

  it('is refused for what cannot be evaluated', () => {
    expect(() => explainRange({}, 'b[5m]', 0, minute, minute)).toThrow('invalid expression type "range vector" for range query')
    expect(() => explainInstant({}, 'b[', 0)).toThrow('parse error')
  })
})

describe('an analyzed query', () => {
  it('has its result, and what each part took', () => {
    let clockMs = 0
    const options = { analyze: true, now: () => clockMs++ }
    const { explanation, series } = evaluateRange(
      options,
      storage,
      'sum by (x) (rate(a_total[2m])) + on () group_left () sum(b)',
      minute,
      3 * minute,
      minute,
    )
    expect(series.labels.map(String)).toEqual(['{x="1"}', '{x="2"}'])
    const top = explanation!
    const [sum, other] = top.children
    const [rate] = sum!.children
    const [window] = rate!.children
    expect(top.measures).toMatchObject({ steps: 3, series: 2 })
    expect(sum!.measures).toMatchObject({ steps: 3, series: 2 })
    expect(rate!.measures).toMatchObject({ series: 2 })
    // Floats at 0 to 3 minutes but for one; the window ends open on its left.
    expect(window!.measures).toMatchObject({ steps: 3, series: 2, samples: 7, samplesRead: 7 })
    expect(other!.children[0]!.measures).toMatchObject({ series: 1, samples: 3, samplesRead: 4 })
    expect(top.measures!.bytes).toBeGreaterThan(0)
  })

  it('shares out all the time of its parts: that of a part is its own and that of those below', () => {
    let clockMs = 0
    const options = { analyze: true, now: () => clockMs++ }
    const { explanation } = evaluateRange(
      options,
      storage,
      'abs(b) + ignoring () sum by (x) (rate(a_total[2m]))',
      minute,
      3 * minute,
      minute,
    )
    const check = ({ measures, children }: ExplainedPart): number => {
      const below = children.reduce((sum, child) => sum + check(child), 0)
      expect(measures!.ownSeconds).toBeGreaterThan(0)
      expect(measures!.seconds).toBeCloseTo(measures!.ownSeconds + below, 9)
      return measures!.seconds
    }
    expect(check(explanation!)).toBeLessThanOrEqual(clockMs / 1000)
  })

  it('measures scalars, timestamps and what is the same at every step', () => {
    const query = 'clamp_max(timestamp(b), scalar(b)) + on () group_left () sum(a_total @ 60)'
    const { explanation } = evaluateRange({ analyze: true }, storage, query, 0, 3 * minute, minute)
    const [clamp, sum] = explanation!.children
    expect(clamp!.children.map(({ measures }) => measures?.steps)).toEqual([4, 4])
    expect(clamp!.children[0]!.children[0]!.measures).toMatchObject({ steps: 4, samples: 4 })
    expect(sum!.measures).toMatchObject({ steps: 1, series: 1, samples: 1 })
  })

  it('counts a common subexpression where it is evaluated first', () => {
    const { explanation } = evaluateRange({ analyze: true }, storage, 'b + b', 0, 3 * minute, minute)
    expect(explanation!.children.map(({ measures }) => measures!.samplesRead)).toEqual([4, 0])
  })

  it('is measured only if that is asked', () => {
    expect(evaluateInstant({}, storage, 'b', 0).explanation).toBeUndefined()
    let looks = 0
    evaluateInstant({ now: () => looks++ }, storage, 'sum(rate(a_total[2m]))', minute)
    expect(looks).toBeLessThan(5)
  })
})
