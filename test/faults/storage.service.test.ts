import { expect, test } from 'vitest'
import { seededRandom } from './agent/scenario.ts'
import { runFullDisk } from './storage/full-disk.ts'
import { runStorageDamage } from './storage/storage-damage.ts'

// A seeded share of `npm run faults -- full-disk` and `-- storage-damage`.

const seed = Number(process.env['NARTHEX_SEED'] ?? Date.now() % 1_000_000)

test(`a disk that gets full loses and damages nothing, and writes go on (NARTHEX_SEED=${seed})`, { timeout: 300_000 }, async () => {
  const report = await runFullDisk({ rounds: 3, random: seededRandom(seed), print: (line) => console.log(line) })
  expect(report.problems).toEqual([])
  expect(report.resumeMsWorst).toBeLessThan(10_000)
})

test(`damaged files give no wrong value, and what is missing is named (NARTHEX_SEED=${seed})`, { timeout: 300_000 }, async () => {
  const report = await runStorageDamage({ trials: 120, random: seededRandom(seed), print: (line) => console.log(line) })
  expect(report.problems).toEqual([])
  // Something was damaged in earnest.
  expect([...report.byKind.values()].reduce((sum, { losses }) => sum + losses, 0)).toBeGreaterThan(20)
})
