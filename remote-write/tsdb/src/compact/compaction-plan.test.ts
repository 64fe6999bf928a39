import { expect, test } from 'vitest'
import { blockRanges, planCompaction } from './compaction-plan.ts'
import type { PlannedBlock } from './compaction-plan.ts'

const hours = 3_600_000
const ranges = blockRanges(2 * hours, 31 * 24 * hours)

/** A block of [from, to) hours, named so. */
function block(from: number, to: number, options: Partial<PlannedBlock> = {}): PlannedBlock {
  const base = {
    ulid: `${from}-${to}`,
    minTimeMs: from * hours,
    maxTimeMs: to * hours,
    series: 100,
    tombstones: 0,
    hasFailed: false,
    kind: '',
  }
  return { ...base, ...options }
}

function plan(...blocks: PlannedBlock[]): string[] {
  return planCompaction(blocks, ranges).map(({ ulid }) => ulid)
}

test('ranges are multiplied by three up to the longest, and end at ten', () => {
  expect(blockRanges(2 * hours, 54 * hours).map((range) => range / hours)).toEqual([2, 6, 18, 54])
  expect(blockRanges(2 * hours, 53 * hours).map((range) => range / hours)).toEqual([2, 6, 18])
  expect(blockRanges(2 * hours, hours)).toEqual([2 * hours])
  expect(blockRanges(1, 1e9)).toHaveLength(10)
})

test('nothing is planned for no block, one, and those that do not fill a range', () => {
  expect(plan()).toEqual([])
  expect(plan(block(0, 2))).toEqual([])
  expect(plan(block(0, 2), block(2, 4))).toEqual([])
  // The newest is left alone, so three are not enough either.
  expect(plan(block(0, 2), block(2, 4), block(4, 6))).toEqual([])
})

test('blocks that fill a range are merged, the newest never', () => {
  expect(plan(block(0, 2), block(2, 4), block(4, 6), block(6, 8))).toEqual(['0-2', '2-4', '4-6'])
  expect(plan(block(0, 6), block(6, 12), block(12, 18), block(18, 20))).toEqual(['0-6', '6-12', '12-18'])
})

test('blocks with gaps are merged when no other of their range can come', () => {
  expect(plan(block(0, 2), block(4, 6), block(6, 8), block(8, 10))).toEqual(['0-2', '4-6'])
  expect(plan(block(2, 4), block(4, 6), block(12, 14), block(14, 16))).toEqual(['2-4', '4-6'])
  // Another may still come beside the newest but one.
  expect(plan(block(6, 8), block(8, 10), block(10, 12))).toEqual([])
})

test('times before 1970 lie in the ranges below', () => {
  expect(plan(block(-6, -4), block(-4, -2), block(-2, 0), block(0, 2))).toEqual(['-6--4', '-4--2', '-2-0'])
})

test('blocks that lie across a range are left out of it', () => {
  expect(plan(block(1, 3), block(3, 5), block(5, 7), block(12, 14), block(14, 16))).toEqual(['1-3', '3-5'])
})

test('overlapping blocks come first, the newest too, as one run', () => {
  expect(plan(block(0, 2), block(2, 4), block(3, 5))).toEqual(['2-4', '3-5'])
  expect(plan(block(0, 8), block(1, 2), block(7, 9), block(9, 11))).toEqual(['0-8', '1-2', '7-9'])
  expect(plan(block(0, 2), block(0, 2))).toEqual(['0-2', '0-2'])
  expect(plan(block(0, 3), block(2, 4), block(10, 13), block(12, 14))).toEqual(['0-3', '2-4'])
})

test('a block whose compaction failed is not tried again', () => {
  expect(plan(block(0, 2, { hasFailed: true }), block(2, 4), block(4, 6), block(6, 8))).toEqual([])
  expect(plan(block(0, 3, { hasFailed: true }), block(2, 4))).toEqual([])
})

test('blocks of different kinds are not merged', () => {
  const kind = 'from-stale-series'
  expect(plan(block(0, 2, { kind }), block(0, 2), block(2, 4), block(4, 6), block(6, 8))).toEqual(['0-2', '2-4', '4-6'])
  expect(plan(block(0, 2, { kind }), block(2, 4))).toEqual([])
})

test('a large block is written anew above 5 % tombstones, a small one when it is deleted as a whole', () => {
  // Half of the ranges: the sixth of seven is long enough.
  const large = ranges[Math.floor(ranges.length / 2)]! / hours
  const newest = block(2 * large, 2 * large + 2)
  expect(plan(block(0, large, { tombstones: 5 }), newest)).toEqual([])
  expect(plan(block(0, large, { tombstones: 6 }), newest)).toEqual([`0-${large}`])
  expect(plan(block(0, 2, { tombstones: 99 }), newest)).toEqual([])
  expect(plan(block(0, 2, { tombstones: 100 }), newest)).toEqual(['0-2'])
})
