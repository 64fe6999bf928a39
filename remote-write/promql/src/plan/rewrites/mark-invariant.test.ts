import { expect, it } from 'vitest'
import { planOf } from '../../testing/plan-of.ts'
import { markInvariant } from './mark-invariant.ts'

it.each([
  ['1', true],
  ['up', false],
  ['up @ 10', true],
  ['rate(up[5m] @ end())', true],
  ['sum(up @ 10) * 2', true],
  ['sum(up @ 10) + up', false],
  ['topk(scalar(up), up @ 10)', false],
  ['time()', false],
  ['predict_linear(up[5m] @ 10, 60)', false],
  ['max_over_time(up[5m:1m])', false],
  ['max_over_time(vector(1)[5m:1m])', false],
  ['max_over_time(up[5m:1m] @ 10)', true],
])('%s is the same at every step: %s', (query, invariant) => {
  expect(markInvariant(planOf(query)).invariant).toBe(invariant)
})
