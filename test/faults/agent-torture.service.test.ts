import { expect, test } from 'vitest'
import { torture } from './agent/torture.ts'
import { scenarios } from './agent/scenarios.ts'

// A seeded share of `npm run faults -- agent`: every scenario once, with fewer kills and shorter outages.

const seed = Number(process.env['NARTHEX_SEED'] ?? Date.now() % 1_000_000)

test.each(Object.keys(scenarios))(`%s (NARTHEX_SEED=${seed})`, { timeout: 180_000 }, async (name) => {
  const [finding] = await torture({ program: 'narthex', count: 8, seed, only: [name], print: (line) => console.log(line) })
  expect(finding, finding?.figures).toMatchObject({ ok: true })
})
