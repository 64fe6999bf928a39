import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { evaluateInstant } from '../engine.ts'
import { listSeries } from '../testing/listed-series.ts'

function select(query: string, values: readonly number[]): number[] {
  const storage = listSeries(1000, Object.fromEntries(values.map((value, i) => [`m{i="${i}"}`, [value]])))
  return [...evaluateInstant({ parse: { experimentalFunctions: true } }, storage, query, 0).series.values]
}

const values = fc.array(fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constant(NaN), fc.constant(Infinity)), { maxLength: 20 })

describe('topk and bottomk', () => {
  it('give the first k of the sorted values, NaN behind all others', () => {
    fc.assert(
      fc.property(values, fc.integer({ min: -1, max: 22 }), (list, k) => {
        const largest = [...list].sort((a, b) => (Number.isNaN(a) ? 1 : Number.isNaN(b) ? -1 : a < b ? 1 : a > b ? -1 : 0))
        const smallest = [...list].sort((a, b) => (Number.isNaN(a) ? 1 : Number.isNaN(b) ? -1 : a - b || 0))
        expect(select(`topk(${k}, m)`, list)).toEqual(largest.slice(0, Math.max(0, k)))
        expect(select(`bottomk(${k}, m)`, list)).toEqual(smallest.slice(0, Math.max(0, k)))
      }),
    )
  })
})

describe('limit_ratio', () => {
  it('shares out all series between a ratio and its complement', () => {
    const list = Array.from({ length: 300 }, (_, i) => i)
    const some = select('limit_ratio(0.3, m)', list)
    const others = select('limit_ratio(-0.7, m)', list)
    expect([...some, ...others].sort((a, b) => a - b)).toEqual(list)
    expect(some.length).toBeGreaterThan(60)
    expect(some.length).toBeLessThan(120)
  })
})
