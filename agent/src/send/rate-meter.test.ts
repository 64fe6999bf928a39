import { expect, test } from 'vitest'
import { RateMeter } from './rate-meter.ts'

test('a rate needs two totals, then follows what grows', () => {
  const meter = new RateMeter()
  expect(meter.perSecond).toBeUndefined()
  meter.note(0, 1000)
  expect(meter.perSecond).toBeUndefined()
  meter.note(5000, 1500)
  expect(meter.perSecond).toBe(100)
  meter.note(10_000, 2000)
  expect(meter.perSecond).toBe(100)
})

test('what stops counts for a third after half a minute', () => {
  const meter = new RateMeter()
  meter.note(0, 0)
  meter.note(1000, 100)
  for (let second = 2; second <= 31; second++) meter.note(second * 1000, 100)
  expect(meter.perSecond).toBeCloseTo(100 / Math.E, 1)
})

test('a clock that stands still or goes back makes no rate', () => {
  const meter = new RateMeter()
  meter.note(1000, 0)
  meter.note(1000, 5)
  meter.note(500, 9)
  expect(meter.perSecond).toBeUndefined()
})
