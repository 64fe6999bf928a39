import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mergeRuns, SampleRun } from './sample-run.ts'
import type { RunSource } from './sample-run.ts'

/** Gives these samples in stretches of `size`, with empty ones in between. */
function makeSource(samples: readonly (readonly [number, number])[], size: number): RunSource {
  const run = new SampleRun()
  let at = 0
  let isEmpty = false
  const nextRun = (): boolean => {
    run.clear()
    isEmpty = !isEmpty
    if (isEmpty && at < samples.length) return true
    if (at >= samples.length) return false
    for (const [timeMs, value] of samples.slice(at, (at += size))) run.floats.pushNumber(timeMs, value)
    return true
  }
  return { run, nextRun }
}

test('of several sources every time comes once, from the first that has it', () => {
  const times = fc.uniqueArray(fc.nat(60), { maxLength: 40 })
  fc.assert(
    fc.property(fc.array(times, { maxLength: 4 }), fc.integer({ min: 1, max: 7 }), (lists, size) => {
      const wanted = new Map<number, number>()
      const sources = lists.map((list, i) => {
        const sorted = list.toSorted((a, b) => a - b)
        for (const timeMs of sorted) if (!wanted.has(timeMs)) wanted.set(timeMs, i)
        return makeSource(
          sorted.map((timeMs) => [timeMs, i]),
          size,
        )
      })
      const merged: [number, number][] = []
      for (const { run, from, to } of mergeRuns(sources)) {
        for (let i = from; i < to; i++) merged.push([run.time(i), run.floats.values[i]!])
      }
      expect(merged).toEqual([...wanted].sort(([a], [b]) => a - b))
    }),
    { numRuns: 300 },
  )
})
