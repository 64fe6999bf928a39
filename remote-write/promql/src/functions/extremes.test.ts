import { describe, expect, it } from 'vitest'
import { greatestOf, leastOf } from './extremes.ts'

describe('of two numbers', () => {
  it('NaN is both the least and the greatest, but for an infinity beyond which there is nothing', () => {
    expect([leastOf(NaN, 1), leastOf(1, NaN), greatestOf(NaN, 1), greatestOf(-Infinity, NaN)]).toEqual([NaN, NaN, NaN, NaN])
    expect([leastOf(NaN, -Infinity), leastOf(-Infinity, NaN)]).toEqual([-Infinity, -Infinity])
    expect([greatestOf(NaN, Infinity), greatestOf(Infinity, NaN)]).toEqual([Infinity, Infinity])
  })

  it('-0 is less than 0', () => {
    expect([leastOf(0, -0), greatestOf(-0, 0)]).toEqual([-0, 0])
  })
})
