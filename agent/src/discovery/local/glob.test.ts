import fc from 'fast-check'
import { expect, test } from 'vitest'
import { matchesAny } from './glob.ts'

test('agrees with a regular expression', () => {
  const glob = fc.stringMatching(/^[ab*?]{0,8}$/)
  const text = fc.stringMatching(/^[ab]{0,10}$/)
  fc.assert(
    fc.property(glob, text, (pattern, given) => {
      const source = pattern.replaceAll('*', '.*').replaceAll('?', '.')
      expect(matchesAny([pattern], given)).toBe(new RegExp(`^${source}$`).test(given))
    }),
    { numRuns: 2000 },
  )
})

test('takes no longer for a text that is made to', () => {
  // Processor time: a busy machine makes it no longer.
  const before = process.cpuUsage()
  expect(matchesAny(['*a*a*a*a*b'], 'a'.repeat(4096))).toBe(false)
  expect(process.cpuUsage(before).user / 1000).toBeLessThan(500)
})
