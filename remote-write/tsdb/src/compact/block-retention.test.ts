import { expect, test } from 'vitest'
import { findExpired } from './block-retention.ts'

const blocks = [
  { ulid: 'a', maxTimeMs: 1000, bytes: 10 },
  { ulid: 'b', maxTimeMs: 2000, bytes: 20 },
  { ulid: 'c', maxTimeMs: 3000, bytes: 30 },
]

function expired(timeMs: number, bytesMax: number, otherBytes = 5): string[] {
  return findExpired(blocks, { timeMs, bytesMax }, otherBytes).map(({ ulid }) => ulid)
}

test('without limits nothing goes', () => {
  expect(expired(0, 0)).toEqual([])
  expect(findExpired([], { timeMs: 1, bytesMax: 1 }, 10)).toEqual([])
})

test('a block goes when it ends the retention before the newest one', () => {
  expect(expired(2001, 0)).toEqual([])
  expect(expired(2000, 0)).toEqual(['a'])
  expect(expired(1000, 0)).toEqual(['b', 'a'])
  // The newest stays whatever the time.
  expect(expired(1, 0)).toEqual(['b', 'a'])
})

test('the oldest blocks go when all are too large, log and head chunks counted', () => {
  expect(expired(0, 65)).toEqual([])
  expect(expired(0, 64)).toEqual(['a'])
  expect(expired(0, 54)).toEqual(['b', 'a'])
  expect(expired(0, 34)).toEqual(['c', 'b', 'a'])
  expect(expired(0, 64, 6)).toEqual(['a'])
})

test('either limit alone is enough', () => {
  expect(expired(2000, 54)).toEqual(['b', 'a'])
})
