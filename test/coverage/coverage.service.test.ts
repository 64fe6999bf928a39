import { expect, test } from 'vitest'
import { isMet } from './assess.ts'
import { assessSubject, subjects } from './subjects.ts'

// npm run coverage -- NAME tells more.

test.each(Object.keys(subjects))('%s shows what the original shows, as far as is wanted', { timeout: 180_000 }, async (name) => {
  const played = await assessSubject(name)
  expect(played, 'want the inventories in the shared folder (NARTHEX_SHARED)').toBeDefined()
  const { bounds } = played!.assessment
  expect(bounds.filter((bound) => !isMet(bound)).map(({ title, missing }) => [title, ...missing])).toEqual([])
})
