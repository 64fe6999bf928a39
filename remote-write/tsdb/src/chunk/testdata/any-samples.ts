import fc from 'fast-check'
import type { BucketSpan } from '@narthex/model/native-histogram'
import { floatBits, staleBits } from './bit-text.ts'
import type { FloatSample, HistogramSample, Layout } from './chunk-writer.ts'

const anyStep = fc.oneof(
  { arbitrary: fc.constant(15_000), weight: 6 },
  fc.integer({ min: 0, max: 20_000 }),
  fc.constantFrom(4095, 4096, 4097, 8192, 8193, 65_537, 524_287, 524_289, 2 ** 32, 2 ** 45),
)

const anyBits = fc.oneof(
  { arbitrary: fc.integer({ min: 0, max: 9 }).map(floatBits), weight: 4 },
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(staleBits, 0x7ff8_0000_0000_0001n, 0xfff8_0000_dead_beefn, 0x8000_0000_0000_0000n),
)

const anyStartDistance = fc.oneof(
  { arbitrary: fc.constant(undefined), weight: 6 },
  fc.constant(0),
  fc.integer({ min: -5, max: 2 ** 40 }).map((distance) => distance),
)

/** Start times: 0 at first or not, then mostly the same as before. */
function startTimes(times: readonly number[], distances: readonly (number | undefined)[]): number[] {
  let start = 0
  return times.map((time, i) => {
    const distance = distances[i % distances.length]
    if (distance === 0) start = 0
    else if (distance !== undefined) start = time - distance
    return start
  })
}

const anyTimes = fc
  .tuple(fc.integer({ min: -(2 ** 45), max: 2 ** 50 }), fc.array(anyStep, { minLength: 1, maxLength: 140 }))
  .map(([first, steps]) => {
    let timeMs = first
    return steps.map((step) => (timeMs += step))
  })

export const anyFloatSamples: fc.Arbitrary<readonly FloatSample[]> = fc
  .tuple(anyTimes, fc.array(anyBits, { minLength: 1 }), fc.array(anyStartDistance, { minLength: 1, maxLength: 140 }))
  .map(([times, bits, distances]) => {
    const starts = startTimes(times, distances)
    return times.map((time, i) => ({ time: BigInt(time), start: BigInt(starts[i]!), bits: bits[(i * 7) % bits.length]! }))
  })

export const anySpans: fc.Arbitrary<readonly BucketSpan[]> = fc
  .tuple(
    fc.integer({ min: -40, max: 40 }),
    fc.array(fc.record({ offset: fc.integer({ min: 0, max: 9 }), length: fc.integer({ min: 0, max: 5 }) }), { maxLength: 4 }),
  )
  .map(([first, spans]) => spans.map((span, i) => (i === 0 ? { ...span, offset: first } : span)))

export const anyLayout: fc.Arbitrary<Layout> = fc.oneof(
  fc.record({
    schema: fc.integer({ min: -4, max: 8 }),
    zeroThreshold: fc.oneof(
      fc.constantFrom(0, 2 ** -128, 2 ** -243, 2 ** -244, 2 ** 10, 2 ** 11, 1e-6, 5e-324),
      fc.double({ min: 0, max: 5, noNaN: true }),
    ),
    positiveSpans: anySpans,
    negativeSpans: anySpans,
    customValues: fc.constant([]),
  }),
  fc.record({
    schema: fc.constant(-53),
    zeroThreshold: fc.constant(0),
    positiveSpans: fc.constant([{ offset: 0, length: 3 }]),
    negativeSpans: fc.constant([]),
    customValues: fc
      .array(fc.oneof(fc.constantFrom(0, 0.001, 0.0015, 33_554.43, 33_554.431, -1, 1e9), fc.double({ noNaN: true })), { maxLength: 6 })
      .map((bounds) => bounds.map((bound) => bound + 0).toSorted((a, b) => a - b)),
  }),
)

/** Counts of one histogram chunk: integers below 2^40 or any floats, a stale sample now and then. */
export function anyHistograms(isFloat: boolean): fc.Arbitrary<{ layout: Layout; samples: readonly HistogramSample[] }> {
  const count = isFloat
    ? fc.oneof(fc.integer({ min: 0, max: 50 }), fc.double({ noNaN: true }))
    : fc.oneof({ arbitrary: fc.integer({ min: 0, max: 50 }), weight: 3 }, fc.integer({ min: 0, max: 2 ** 40 }))
  return fc
    .tuple(
      anyLayout,
      anyTimes,
      fc.array(count, { minLength: 1, maxLength: 60 }),
      fc.array(anyBits, { minLength: 1 }),
      fc.array(anyStartDistance, { minLength: 1, maxLength: 140 }),
    )
    .map(([layout, times, counts, sums, distances]) => {
      const starts = startTimes(times, distances)
      const row = (spans: readonly BucketSpan[], seed: number): number[] =>
        Array.from({ length: spans.reduce((sum, { length }) => sum + length, 0) }, (_, k) => counts[(k * 5 + seed) % counts.length]!)
      // Behind a stale sample a chunk has only stale ones.
      const firstStale = times.findIndex((_, i) => sums[(i * 7) % sums.length] === staleBits)
      const end = firstStale > 0 ? firstStale : times.length
      const samples = times.map((time, i): HistogramSample => ({
        time: BigInt(time),
        start: BigInt(starts[i]!),
        count: counts[i % counts.length]!,
        zeroCount: counts[(i * 3) % counts.length]!,
        sum: i >= end || firstStale === 0 ? (firstStale === 0 ? 0n : staleBits) : sums[(i * 7) % sums.length]!,
        positive: row(layout.positiveSpans, i),
        negative: row(layout.negativeSpans, 2 * i),
      }))
      return { layout, samples }
    })
}
