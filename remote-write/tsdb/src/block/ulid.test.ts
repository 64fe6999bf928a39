import { expect, it } from 'vitest'
import { isUlid, makeUlid } from './ulid.ts'

it('has the digits of its time and of the random bytes', () => {
  expect(makeUlid(0, new Uint8Array(16))).toBe('00000000000000000000000000')
  expect(makeUlid(2 ** 48 - 1, new Uint8Array(16).fill(255))).toBe('7ZZZZZZZZZZZZZZZZZZZZZZZZZ')
  expect(makeUlid(1_469_918_176_385, new Uint8Array(16)).slice(0, 10)).toBe('01ARYZ6S41')
  expect(() => makeUlid(2 ** 48)).toThrow('want a time in [0, 281474976710655] ms, got 281474976710656')
  expect(() => makeUlid(-1)).toThrow('got -1')
})

it('is valid, and differs from others of the same time in its last 16 digits', () => {
  const ulids = Array.from({ length: 100 }, () => makeUlid(1_700_000_000_123))
  expect(new Set(ulids).size).toBe(100)
  for (const ulid of ulids) {
    expect(isUlid(ulid)).toBe(true)
    expect(ulid.slice(0, 10)).toBe(ulids[0]!.slice(0, 10))
  }
})

it.each([
  ['7ZZZZZZZZZZZZZZZZZZZZZZZZZ', true],
  ['8ZZZZZZZZZZZZZZZZZZZZZZZZZ', false],
  ['01m8gxzwwbm96vx7mhyezpv51z', true],
  ['01M8GXZWWBM96VX7MYHEYZPV5', false],
  ['01M8GXZWWBM96VX7MYHEYZPV511', false],
  ['01M8GXZWWBM96VX7MYHEYZPV5U', false],
  ['01M8GXZWWBM96VX7MYHEYZPV5I', false],
  ['01M8GXZWWBM96VX7MYHEYZPV5\n', false],
  ['wal', false],
])('takes %j for a block: %s', (name, expected) => {
  expect(isUlid(name)).toBe(expected)
})
