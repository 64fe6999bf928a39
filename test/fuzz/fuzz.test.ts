import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { isRefusal, runFuzz } from './fuzz-run.ts'
import { fuzzTargets } from './targets.ts'

// The seeded share of `npm run fuzz`, and every input that once was a find (corpus/TARGET/…).

const seed = 20_260
const inputs = 800
const corpus = join(import.meta.dirname, 'corpus')

afterAll(async () => {
  for (const target of fuzzTargets) await target.close?.()
})

describe('readers of strangers’ bytes', () => {
  test.each(fuzzTargets.map((target) => [target.name, target] as const))('%s reads or refuses every input', async (_name, target) => {
    const find = await runFuzz(target, seed, target.share ?? inputs)
    expect(
      find && `seed ${seed}, input ${find.index}: ${String(find.error)} for ${Buffer.from(find.input).toString('base64')}`,
    ).toBeUndefined()
  })

  test('every find of the past stays mended', async () => {
    for (const target of fuzzTargets) {
      for (const file of listFinds(target.name)) {
        try {
          await target.read(readFileSync(join(corpus, target.name, file)))
        } catch (error) {
          expect(isRefusal(target, error), `${target.name}/${file}: ${String(error)}`).toBe(true)
        }
      }
    }
  })

  test('no two targets have the same name', () => {
    expect(new Set(fuzzTargets.map(({ name }) => name)).size).toBe(fuzzTargets.length)
  })
})

function listFinds(name: string): string[] {
  try {
    return readdirSync(join(corpus, name))
  } catch {
    return []
  }
}
