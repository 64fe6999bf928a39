import { expect, test } from 'vitest'
import { formatHistogram } from './query.ts'

test('a native histogram is printed with the ends that belong to each bucket', () => {
  const buckets = [
    [1, '-1', '-0.5', '20'],
    [3, '-0.001', '0.001', '20'],
    [0, '1', '2', '40'],
    [2, '4', '5', '0.5'],
  ] as const
  expect(formatHistogram({ count: '80.5', sum: 'NaN', buckets })).toBe(
    'Count: 80.500000, Sum: NaN, Buckets: [[-1,-0.5):20 [-0.001,0.001]:20 (1,2]:40 (4,5):0.5]',
  )
  expect(formatHistogram({ count: '0', sum: '0' })).toBe('Count: 0.000000, Sum: 0.000000, Buckets: []')
})
