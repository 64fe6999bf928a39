import { expect, it } from 'vitest'
import { planOf } from '../../testing/plan-of.ts'
import type { Plan } from '../plan.ts'
import { allowParts } from './allow-parts.ts'

function inputOf(query: string): Plan {
  const plan = allowParts(planOf(query))
  if (plan.kind !== 'aggregation') throw new Error(`want an aggregation, got ${plan.kind}`)
  return plan.input
}

it.each(['sum by (a) (rate({__name__=~"x|y"}[5m]))', 'max(last_over_time({a="b"}[5m]))', 'avg without (a) (increase(x[5m]))'])(
  '%s takes series in parts',
  (query) => {
    expect(inputOf(query)).toMatchObject({ kind: 'call', mayComeInParts: true })
  },
)

it.each([
  'topk(1, rate({a="b"}[5m]))',
  'quantile(0.5, rate({a="b"}[5m]))',
  'count_values("v", rate({a="b"}[5m]))',
  'sum(abs({a="b"}))',
  'sum({a="b"})',
])('%s takes whole series', (query) => {
  expect(inputOf(query)).not.toHaveProperty('mayComeInParts')
})
