import { expect, test } from 'vitest'
import { FailureMemory, reasonOf } from './failure-memory.ts'

test('a failure is news when it begins, when its reason changes, and when it is back after it was over', () => {
  const memory = new FailureMemory()
  expect(memory.isOver('disk')).toBe(false)
  expect(memory.isNews('disk', 'refused')).toBe(true)
  expect(memory.isNews('disk', 'refused')).toBe(false)
  expect(memory.isNews('disk', 'gone')).toBe(true)
  expect(memory.isOver('disk')).toBe(true)
  expect(memory.isOver('disk')).toBe(false)
  expect(memory.isNews('disk', 'gone')).toBe(true)
})

test('subjects fail on their own', () => {
  const memory = new FailureMemory()
  expect(memory.isNews('a', 'refused')).toBe(true)
  expect(memory.isNews('b', 'refused')).toBe(true)
  expect(memory.isOver('a')).toBe(true)
  expect(memory.isNews('b', 'refused')).toBe(false)
})

test('the oldest failure is forgotten when there are more than are remembered', () => {
  const memory = new FailureMemory(2)
  for (const subject of ['a', 'b', 'a', 'c']) memory.isNews(subject, 'refused')
  expect(['b', 'c', 'a'].map((subject) => memory.isNews(subject, 'refused'))).toEqual([false, false, true])
})

test('the reason is what an error says', () => {
  expect(reasonOf(new TypeError('no'))).toBe('no')
  expect(reasonOf('no')).toBe('no')
})
