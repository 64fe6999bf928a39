import { expect, test } from 'vitest'
import { torture } from './agent/torture.ts'

// A seeded share of `npm run faults -- agent`: the scenarios that measure no time, with fewer kills. The whole of it is for a quiet machine.

const names = ['kills', 'reloads', 'outage-restart', 'poison', 'old-receivers', 'auth-hold', 'damage']

const seed = Number(process.env['NARTHEX_SEED'] ?? Date.now() % 1_000_000)

test.each(names)(`%s (NARTHEX_SEED=${seed})`, { timeout: 180_000 }, async (name) => {
  const [finding] = await torture({ program: 'narthex', count: 8, seed, only: [name], print: (line) => console.log(line) })
  expect(finding, finding?.figures).toMatchObject({ ok: true })
})
