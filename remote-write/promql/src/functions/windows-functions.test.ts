import fc from 'fast-check'
import { expect, it } from 'vitest'
import { countOverTime, countOverTimeAll, lastOverTime, lastOverTimeAll, maxOverTime, minOverTime } from './over-time.ts'
import { findResets, makeExtrapolated, makeExtrapolatedAll } from './rate.ts'
import type { WindowFunction, WindowsFunction } from './sample-window.ts'
import { makeSlidingExtreme } from './sliding-extremes.ts'

const pairs: readonly (readonly [string, WindowFunction, WindowsFunction])[] = [
  ['min_over_time', minOverTime, makeSlidingExtreme(true)],
  ['max_over_time', maxOverTime, makeSlidingExtreme(false)],
  ['count_over_time', countOverTime, countOverTimeAll],
  ['last_over_time', lastOverTime, lastOverTimeAll],
  ['rate', makeExtrapolated(true, true), makeExtrapolatedAll(true, true)],
  ['increase', makeExtrapolated(true, false), makeExtrapolatedAll(true, false)],
  ['delta', makeExtrapolated(false, false), makeExtrapolatedAll(false, false)],
]

it.each(pairs)('%s of all steps in one go is what it is step by step', (_name, each, all) => {
  const value = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(0, -0, NaN, Infinity, -Infinity), fc.double())
  const series = fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), value), { minLength: 1, maxLength: 60 })
  fc.assert(
    fc.property(
      series,
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 0, max: 90 }),
      fc.integer({ min: -50, max: 50 }),
      // Of a regular series, and of one that only rises.
      fc.option(fc.integer({ min: 1, max: 40 })),
      fc.boolean(),
      (samples, rangeMs, stepMs, endMs, intervalMs, rises) => {
        const steps = 25
        let timeMs = 0
        let total = 0
        const times = Float64Array.from(samples, ([step]) => (timeMs += intervalMs ?? step))
        const values = Float64Array.from(samples, ([, sample]) => (rises ? (total += Math.abs(sample)) : sample))
        const [from, to] = [new Uint32Array(steps), new Uint32Array(steps)]
        const expected: (number | undefined)[] = []
        const present = new Uint8Array(steps)
        const { resets, count } = findResets(values, values.length, new Uint32Array(4))
        for (let i = 0; i < steps; i++) {
          const windowEndMs = endMs + i * stepMs
          from[i] = times.filter((time) => time <= windowEndMs - rangeMs).length
          to[i] = times.filter((time) => time <= windowEndMs).length
          present[i] = from[i] === to[i] ? 0 : 1
          const out = new Float64Array(1)
          const window = {
            times,
            values,
            from: from[i]!,
            to: to[i]!,
            startMs: windowEndMs - rangeMs,
            endMs: windowEndMs,
            rangeMs,
            stepTimeMs: 0,
          }
          const isThere = present[i] === 1 && each({ ...window, resets, resetCount: count, resetFrom: 0 }, out, 0)
          expected.push(isThere ? out[0]! : undefined)
        }
        const out = new Float64Array(steps)
        all({ times, values, length: values.length, from, to, steps, endMs, stepMs, rangeMs }, out, present)
        expect(Array.from(out, (got, i) => (present[i] === 0 ? undefined : got))).toEqual(expected)
      },
    ),
    {
      numRuns: 1000,
      // Products of numbers this small are rounded by more than their last bits.
      examples: [
        [
          [
            [1, 0],
            [1, 5e-324],
          ],
          40,
          5,
          17,
          3,
          false,
        ],
      ],
    },
  )
})
