import { expect, test } from 'vitest'
import { isBadGlobPattern } from './glob-pattern.ts'

test.each(['', 'a', '*.yml', '[a-z]*', '[^a]', '[]a]'.slice(1), '\\[a', 'a\\\\', '[\\]]', '[\\-x]', '[a-\\]]', 'dir[0-9]/*.yml', '[[]'])(
  '%j is a pattern',
  (pattern) => {
    expect(isBadGlobPattern(pattern)).toBe(false)
  },
)

test.each(['[', 'a[', '[]', '[]a]', '[a', '[a-', '[a-]', '[-a]', '[^]', '[^', '\\', 'a\\', '\\\\[', '[\\', 'ok[a]/[b', '[a-b-c]'])(
  '%j is none',
  (pattern) => {
    expect(isBadGlobPattern(pattern)).toBe(true)
  },
)
