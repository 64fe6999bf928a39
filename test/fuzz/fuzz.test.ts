import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runFuzz } from './fuzz-run.ts'
import { fuzzTargets } from './targets.ts'

// The seeded share of `npm run fuzz`, and every input that once was a find (corpus/TARGET/…).

const seed = 20_260
const inputs = 1_500
const corpus = join(import.meta.dirname, 'corpus')

describe('readers of strangers’ bytes', () => {
  test.each(fuzzTargets.map((target) => [target.name, target] as const))('%s reads or refuses every input', (_name, target) => {
    const find = runFuzz(target, seed, inputs)
    expect(
      find && `seed ${seed}, input ${find.index}: ${String(find.error)} for ${Buffer.from(find.input).toString('base64')}`,
    ).toBeUndefined()
  })

  test('every find of the past stays mended', () => {
    for (const target of fuzzTargets) {
      for (const file of listFinds(target.name)) {
        try {
          target.read(readFileSync(join(corpus, target.name, file)))
        } catch (error) {
          expect(target.refusals, `${target.name}/${file}: ${String(error)}`).toContain((error as Error).name)
        }
      }
    }
  })
})

function listFinds(name: string): string[] {
  try {
    return readdirSync(join(corpus, name))
  } catch {
    return []
  }
}
