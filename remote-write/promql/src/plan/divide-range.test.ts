import { describe, expect, it } from 'vitest'
import { parseExpression } from '../parse/parse.ts'
import { divisibilityOf, partOfGrid } from './divide-range.ts'
import { makePlan } from './make-plan.ts'
import { rewritePlan } from './rewrite-plan.ts'

const minute = 60_000
const grid = { startMs: 0, stepMs: minute, steps: 361 }

function divide(text: string, steps = grid.steps) {
  const endMs = (steps - 1) * minute
  const made = makePlan(parseExpression(text), { text, startMs: 0, endMs, stepMs: minute, subqueryStepMs: minute })
  return divisibilityOf(rewritePlan(made, { isRange: true }), { ...grid, steps }, 5 * minute)
}

describe('a range query', () => {
  it.each([
    ['a', 5],
    ['rate(a[20m])', 20],
    ['a + rate(a[20m])', 20],
    ['max_over_time(rate(a[10m])[30m:1m])', 40],
    ['sum(a offset 1d)', 5],
    ['a / scalar(sum(rate(b[1d] @ end())))', 5],
  ])('of %s reaches %d minutes back', (text, minutes) => {
    expect(divide(text).reachMs).toBe(minutes * minute)
  })

  it('is divided into parts of twice its reach at least', () => {
    expect([1, 18, 30, 59, 60, 61, 90, 91, 180, 181].map((minutes) => divide(`rate(a[${minutes}m])`).partsMax)).toEqual([
      22, 10, 6, 3, 3, 2, 2, 1, 1, 1,
    ])
  })

  it('is divided into parts of 16 steps at least', () => {
    expect([31, 32, 47, 48].map((steps) => divide('rate(a[1m])', steps).partsMax)).toEqual([1, 2, 2, 3])
  })

  it.each(['time()', '1 + 2', 'a @ end()', 'vector(1)', 'sum(rate(a[5m] @ 100))'])('is not divided if it is %s', (text) => {
    expect(divide(text).partsMax).toBe(1)
  })
})

it('is not divided if a parameter of an aggregation varies over the steps', () => {
  expect(
    ['topk(3, a)', 'quantile(0.5, a)', 'count_values("x", a)', 'topk(scalar(b @ end()), a)'].map((text) => divide(text).partsMax > 1),
  ).toEqual([true, true, true, true])
  expect(['topk(scalar(b), a)', '1 + quantile(time() / 2, a)'].map((text) => divide(text).partsMax)).toEqual([1, 1])
})

describe('parts', () => {
  it('have all steps in their order, and a later one fewer, as it reads what is before it, too', () => {
    for (const [reachMs, count] of [
      [0, 2],
      [5 * minute, 2],
      [60 * minute, 2],
      [60 * minute, 3],
      [0, 7],
    ] as const) {
      const parts = Array.from({ length: count }, (_, i) => partOfGrid(grid, reachMs, i, count))
      let next = grid.startMs
      for (const part of parts) {
        expect(part.startMs).toBe(next)
        next += part.steps * part.stepMs
      }
      expect(next).toBe(361 * minute)
      const read = parts.map(({ steps }, i) => steps + (i === 0 ? 0 : reachMs / minute))
      expect(Math.max(...read) - Math.min(...read)).toBeLessThan(2)
    }
  })

  it('each have steps, however far they reach', () => {
    for (const steps of [2, 3, 17, 40]) {
      for (let count = 2; count <= Math.min(steps, 4); count++) {
        for (const reachMs of [minute, 100 * minute]) {
          for (let i = 0; i < count; i++) expect(partOfGrid({ ...grid, steps }, reachMs, i, count).steps).toBeGreaterThan(0)
        }
      }
    }
  })
})
