import { describe, expect, it } from 'vitest'
import { compareNaturally } from './sort.ts'

describe('compareNaturally', () => {
  it('compares runs of digits as numbers', () => {
    expect(['4m1000', '4m5', '10', '9', 'a', '4m600', '09'].sort(compareNaturally)).toEqual([
      '4m5',
      '4m600',
      '4m1000',
      '9',
      '09',
      '10',
      'a',
    ])
  })

  it('compares numbers beyond what a double holds', () => {
    expect(compareNaturally('99999999999999999998', '99999999999999999999')).toBeLessThan(0)
  })
})
