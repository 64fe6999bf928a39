import { decode, type FuzzTarget } from './fuzz-target.ts'
import { mutateJson } from './mutate-json.ts'
import { mutate, Random } from './mutate.ts'

export interface FuzzFind {
  readonly input: Uint8Array
  readonly index: number
  readonly error: unknown
}

/** One input may not take longer than this: a reader that hangs is found like one that crashes. */
export const inputMsMax = 2_000
/** A promise that is not settled by then never will be. */
const settledMsMax = 20_000

/** Feeds `count` mutated inputs to a reader; gives the first that it neither read nor refused properly. */
export async function runFuzz(target: FuzzTarget, seed: number, count: number): Promise<FuzzFind | undefined> {
  const random = new Random(seed)
  const jsonSeeds = target.isJson === true ? target.seeds.filter(isJson) : []
  for (let index = 0; index < count; index++) {
    const isSeed = index < target.seeds.length
    const input = isSeed ? target.seeds[index]! : (target.make?.(random) ?? makeInput(target.seeds, jsonSeeds, random))
    const first = await readOnce(target, input)
    // Once may be the machine, which had something else to do.
    const { error, tookMs } = isTimeout(first.error) ? await readOnce(target, input) : first
    if (error !== undefined && !isRefusal(target, error)) return { input, index, error }
    if (isSeed && error !== undefined) return { input, index, error: new Error(`a seed was refused: ${error.message}`) }
    if (tookMs <= inputMsMax) continue
    const again = await readOnce(target, input)
    if (again.tookMs > inputMsMax) return { input, index, error: new Error(`took ${tookMs.toFixed(0)} and ${again.tookMs.toFixed(0)} ms`) }
  }
  return undefined
}

async function readOnce(target: FuzzTarget, input: Uint8Array): Promise<{ readonly error: unknown; readonly tookMs: number }> {
  const started = performance.now()
  let error: unknown
  try {
    const reading = target.read(input)
    if (reading !== undefined) await settled(reading)
  } catch (thrown) {
    error = thrown
  }
  return { error, tookMs: performance.now() - started }
}

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && (error.name === 'TimeoutError' || error.name === 'AbortError')
}

/** Whether the reader may refuse like that. */
export function isRefusal(target: FuzzTarget, error: unknown): error is Error {
  return error instanceof Error && target.refusals.includes(error.name)
}

function makeInput(seeds: readonly Uint8Array[], jsonSeeds: readonly Uint8Array[], random: Random): Uint8Array {
  return jsonSeeds.length > 0 && random.below(2) === 0 ? mutateJson(jsonSeeds, random) : mutate(seeds, random)
}

function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(decode(bytes))
    return true
  } catch {
    return false
  }
}

async function settled(reading: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new DOMException(`not read within ${settledMsMax} ms`, 'TimeoutError')), settledMsMax)
  })
  try {
    await Promise.race([reading, deadline])
  } finally {
    clearTimeout(timer)
  }
}
