import { mutate, Random } from './mutate.ts'
import type { FuzzTarget } from './targets.ts'

export interface FuzzFind {
  readonly input: Uint8Array
  readonly index: number
  readonly error: unknown
}

/** One input may not take longer than this: a reader that hangs is found like one that crashes. */
export const inputMsMax = 2_000

/** Feeds `count` mutated inputs to a reader; gives the first that it neither read nor refused properly. */
export function runFuzz(target: FuzzTarget, seed: number, count: number): FuzzFind | undefined {
  const random = new Random(seed)
  for (let index = 0; index < count; index++) {
    const input = index < target.seeds.length ? target.seeds[index]! : mutate(target.seeds, random)
    const started = performance.now()
    try {
      target.read(input)
    } catch (error) {
      if (!(error instanceof Error) || !target.refusals.includes(error.name)) return { input, index, error }
      if (index < target.seeds.length) return { input, index, error: new Error(`a seed was refused: ${error.message}`) }
    }
    const took = performance.now() - started
    if (took > inputMsMax) return { input, index, error: new Error(`took ${took.toFixed(0)} ms`) }
  }
  return undefined
}
