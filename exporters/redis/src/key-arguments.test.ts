import { expect, test } from 'vitest'
import { isGlob, parseKeyArguments } from './key-arguments.ts'

test('databases and keys are read, keys may be URL-encoded', () => {
  expect(parseKeyArguments('check-keys', 'db3=user:*, plain,4=x%2Cy,db=z,db5=,,a+b')).toEqual([
    { database: 3, pattern: 'user:*' },
    { database: 0, pattern: 'plain' },
    { database: 4, pattern: 'x,y' },
    { database: 0, pattern: 'a b' },
  ])
})

test.each([
  ['a=b=c', 'want key or dbN=key, got "a=b=c"'],
  ['dbx=y', 'want a database number before =, got "dbx"'],
  ['db-1=y', 'want a database number before =, got "db-1"'],
  ['%zz', 'want a URL-encoded key, got "%zz"'],
])('%s is refused', (list, reason) => {
  expect(() => parseKeyArguments('count-keys', list)).toThrow(`cannot parse count-keys: ${reason}`)
})

test('only patterns are searched for', () => {
  expect(['a*', 'a?', '[ab]', 'a^'].every(isGlob)).toBe(true)
  expect(isGlob('plain:key-1')).toBe(false)
})
