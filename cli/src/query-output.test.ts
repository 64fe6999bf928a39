import { expect, test } from 'vitest'
import { describeResult } from './query-output.ts'

test('a native histogram is printed with the ends that belong to each bucket', () => {
  const buckets = [
    [1, '-1', '-0.5', '20'],
    [3, '-0.001', '0.001', '20'],
    [0, '1', '2', '40'],
    [2, '4', '5', '0.5'],
  ]
  const describe = (histogram: unknown) =>
    describeResult({ resultType: 'vector', result: [{ metric: { __name__: 'h' }, histogram: [1, histogram] }] })
  expect(describe({ count: '80.5', sum: 'NaN', buckets })).toBe(
    'h => Count: 80.5, Sum: NaN, Buckets: [[-1,-0.5):20 [-0.001,0.001]:20 (1,2]:40 (4,5):0.5] @[1]',
  )
  expect(describe({ count: '0', sum: '0' })).toBe('h => Count: 0, Sum: 0, Buckets: [] @[1]')
})
