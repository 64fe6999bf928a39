import { expect, test } from 'vitest'
import { ShardCount } from './shard-count.ts'

/** Applies the same interval of ten seconds `times` times. */
function run(
  count: ShardCount,
  times: number,
  samplesIn: number,
  samplesOut: number,
  sendSeconds: number,
  backlog: number,
  isThrottled = false,
): number {
  for (let i = 0; i < times; i++) count.apply(count.update(samplesIn, samplesOut, sendSeconds, backlog, isThrottled))
  return count.current
}

test('stays at the smallest number while one shard is idle most of the time', () => {
  expect(run(new ShardCount(1, 50), 10, 10_000, 10_000, 1, 0)).toBe(1)
})

test('grows when sending takes longer than time passes, up to the largest number', () => {
  expect(run(new ShardCount(1, 50), 30, 10_000, 2000, 10, 0)).toBe(5)
  expect(run(new ShardCount(1, 3), 30, 10_000, 2000, 10, 0)).toBe(3)
})

test('grows for a backlog that one shard would not take off', () => {
  expect(run(new ShardCount(1, 50), 10, 1000, 1000, 1, 100_000)).toBe(6)
})

test('never grows while the remote throttles or nothing gets through', () => {
  const count = new ShardCount(1, 50)
  run(count, 1, 1000, 1000, 5, 0)
  expect(run(count, 20, 10_000, 2000, 10, 100_000, true)).toBe(1)
  expect(run(count, 20, 10_000, 0, 10, 100_000)).toBe(1)
})

test('shrinks when the load is gone, but not while it is behind', () => {
  const count = new ShardCount(1, 50)
  run(count, 30, 10_000, 2000, 10, 0)
  expect(run(count, 5, 100, 2000, 0.1, 50_000)).toBeGreaterThan(1)
  expect(run(count, 40, 100, 100, 0.1, 0)).toBe(1)
})
