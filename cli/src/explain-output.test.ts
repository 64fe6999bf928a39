import { expect, test } from 'vitest'
import { printExplanation } from './explain-output.ts'

const selector = { operator: 'selector', detail: 'up{job="a"}', rewrites: ['series in any order', 'no labels'], children: [] }

test('a plan is printed as an indented tree, what was done to a part behind dots', () => {
  expect(printExplanation({ operator: 'aggregation', detail: 'sum', rewrites: [], children: [selector] })).toBe(
    ['aggregation sum', '  selector up{job="a"}', '    · series in any order', '    · no labels'].join('\n'),
  )
})

test('measures stand on the line of their part', () => {
  const measures = { steps: 2, seconds: 0.0125, ownSeconds: 0.01, series: 3, samples: 6, samplesRead: 40, bytes: 1024 }
  expect(printExplanation({ ...selector, rewrites: [], measures })).toBe(
    'selector up{job="a"} — 12.500 ms (own 10.000 ms), 2 steps, 3 series, 6 samples, 40 samples read, 1024 bytes',
  )
})
