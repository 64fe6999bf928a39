import { expect, test } from 'vitest'
import { RetryDelay } from './retry-delay.ts'

test('doubles up to its maximum, around the middle, until it is reset', () => {
  const delay = new RetryDelay(800, 5000, () => 0.5)
  expect([delay.next(), delay.next(), delay.next(), delay.next(), delay.next()]).toEqual([800, 1600, 3200, 5000, 5000])
  delay.reset()
  expect(delay.next()).toBe(800)
  expect(delay.next(60_000)).toBe(60_000)
})

test.each([
  [0, 400],
  [0.999, 1199.2],
])('random %d gives %d of 800 ms', (random, wantedMs) => {
  expect(new RetryDelay(800, 5000, () => random).next()).toBeCloseTo(wantedMs)
})
