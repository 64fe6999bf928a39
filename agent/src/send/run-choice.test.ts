import { expect, test } from 'vitest'
import { RunChoice } from './run-choice.ts'

/** Builds requests of so many bytes a sample; gives the share that was built by similar runs. */
function run(choice: RunChoice, requests: number, bytes: { readonly similar: number; readonly plain: number }, samples = 10_000): number {
  let similar = 0
  for (let i = 0; i < requests; i++) {
    const isSimilar = choice.next()
    choice.take(isSimilar, samples * (isSimilar ? bytes.similar : bytes.plain), samples)
    if (isSimilar) similar++
  }
  return similar / requests
}

test('takes similar runs while their requests are at most a fiftieth longer', () => {
  expect(run(new RunChoice(), 1000, { similar: 8, plain: 10 })).toBeGreaterThan(0.98)
  expect(run(new RunChoice(), 1000, { similar: 10.2, plain: 10 })).toBeGreaterThan(0.98)
  expect(run(new RunChoice(), 1000, { similar: 10.3, plain: 10 })).toBeLessThan(0.02)
})

test('follows when that changes, both ways', () => {
  const choice = new RunChoice()
  run(choice, 200, { similar: 8, plain: 10 })
  run(choice, 64 * 12, { similar: 13, plain: 11 })
  expect(run(choice, 640, { similar: 13, plain: 11 })).toBeLessThan(0.02)
  run(choice, 64 * 12, { similar: 8, plain: 10 })
  expect(run(choice, 640, { similar: 8, plain: 10 })).toBeGreaterThan(0.98)
})

test('learns nothing from small requests', () => {
  const choice = new RunChoice()
  expect(run(choice, 100, { similar: 30, plain: 1 }, 999)).toBe(1)
  expect(run(choice, 100, { similar: 30, plain: 1 }, 1000)).toBeLessThan(0.05)
})
