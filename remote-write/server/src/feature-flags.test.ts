import { expect, it } from 'vitest'
import { withoutEffect } from './feature-flags.ts'

it('warns of features that change nothing, and not of what a stop does anyway', () => {
  expect(withoutEffect(['memory-snapshot-on-shutdown', 'exemplar-storage', 'native-histograms-of-tomorrow'])).toEqual([
    'native-histograms-of-tomorrow',
  ])
})
