import { expect, test } from 'vitest'
import { Interner, sharedLengthMax, textsMax } from './interner.ts'

test('keeps texts up to its limits, and only what fits', () => {
  const interner = new Interner()
  for (let i = 0; i < textsMax; i++) interner.share(`text ${i}`)
  expect(interner.size).toBe(textsMax)
  interner.share('x'.repeat(sharedLengthMax + 1))
  expect(interner.size).toBe(textsMax)
  expect(interner.share('x'.repeat(sharedLengthMax))).toBe('x'.repeat(sharedLengthMax))
  expect(interner.size).toBe(1)
})
