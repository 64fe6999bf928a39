import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { hasCustomBuckets, putHistogram, readHistogram } from './histogram-message.ts'
import { WireError } from './protobuf-cursor.ts'
import { decodeOracle, encodeOracle, oracleHistogram } from './testdata/wire-oracle.ts'

const counts = fc.array(fc.double({ min: 0, noNaN: true }), { maxLength: 20 })
const deltas = fc.array(fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), { maxLength: 20 })
const spans = fc.array(fc.record({ offset: fc.integer({ min: -2000, max: 2000 }), length: fc.nat({ max: 500 }) }), { maxLength: 4 })
const positive = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true })

const histograms: fc.Arbitrary<NativeHistogram> = fc.boolean().chain((isFloat) =>
  fc.record({
    schema: fc.constantFrom(-4, -1, 0, 3, 8, -53),
    isFloat: fc.constant(isFloat),
    count: isFloat ? positive : fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    sum: fc.double({ noNaN: true }).filter((sum) => !Object.is(sum, -0)),
    zeroThreshold: positive,
    zeroCount: isFloat ? positive : fc.nat(),
    positiveSpans: spans,
    negativeSpans: spans,
    positiveDeltas: isFloat ? fc.constant([]) : deltas,
    negativeDeltas: isFloat ? fc.constant([]) : deltas,
    positiveCounts: isFloat ? counts : fc.constant([]),
    negativeCounts: isFloat ? counts : fc.constant([]),
    customValues: fc.array(fc.double({ noNaN: true }), { maxLength: 5 }),
    isGauge: fc.boolean(),
  }),
)

function encode(histogram: NativeHistogram): Uint8Array {
  const out = new ByteWriter()
  putHistogram(out, histogram)
  return out.bytes.slice(0, out.length)
}

/** The histogram as the oracle's message; empty lists are left out by both. */
function toMessage(h: NativeHistogram): Record<string, unknown> {
  const message = {
    ...(h.isFloat ? { countFloat: h.count, zeroCountFloat: h.zeroCount } : { countInt: h.count, zeroCountInt: h.zeroCount }),
    sum: h.sum,
    schema: h.schema,
    zeroThreshold: h.zeroThreshold,
    negativeSpans: h.negativeSpans,
    negativeDeltas: h.negativeDeltas,
    negativeCounts: h.negativeCounts,
    positiveSpans: h.positiveSpans,
    positiveDeltas: h.positiveDeltas,
    positiveCounts: h.positiveCounts,
    resetHint: h.isGauge ? 3 : 0,
    customValues: h.customValues,
  }
  return decodeOracle(oracleHistogram, encodeOracle(oracleHistogram, message))
}

describe('a histogram message', () => {
  test('says to protobufjs what the histogram is', () => {
    fc.assert(
      fc.property(histograms, (histogram) => {
        expect(decodeOracle(oracleHistogram, encode(histogram))).toEqual(toMessage(histogram))
      }),
    )
  })

  test('is read back as it was', () => {
    fc.assert(
      fc.property(histograms, (histogram) => {
        const bytes = encode(histogram)
        expect(readHistogram(bytes, 0, bytes.length)).toEqual({
          histogram,
          timestampMs: 0,
          startTimestampMs: 0,
          isCounterReset: false,
          isStale: false,
        })
        expect(hasCustomBuckets(bytes, 0, bytes.length)).toBe(histogram.schema === -53)
      }),
    )
  })

  test('of protobufjs is read with its timestamps', () => {
    const message = { countInt: 3, schema: -2, positiveSpans: [{ offset: -1, length: 2 }], positiveDeltas: [1, 1] }
    const bytes = encodeOracle(oracleHistogram, { ...message, timestamp: 1_700_000_000_123, startTimestamp: 1_600_000_000_000 })
    expect(readHistogram(bytes, 0, bytes.length)).toMatchObject({
      timestampMs: 1_700_000_000_123,
      startTimestampMs: 1_600_000_000_000,
      histogram: { count: 3, schema: -2, isFloat: false, positiveSpans: [{ offset: -1, length: 2 }], positiveDeltas: [1, 1] },
    })
  })

  test('with one value a field is read as a packed one', () => {
    // ┌ 9: -1 ┬ 9: 2 ┬ 13: 1.0 ┐
    const bytes = Uint8Array.of(0x48, 0x01, 0x48, 0x04, 0x69, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f)
    expect(readHistogram(bytes, 0, bytes.length).histogram).toMatchObject({ negativeDeltas: [-1, 2], positiveCounts: [1] })
  })

  test('keeps the bits of the NaN that Prometheus stores, and knows the stale marker', () => {
    const bytes = encode({ ...readHistogram(new Uint8Array(0), 0, 0).histogram, sum: NaN })
    const at = bytes.indexOf(0x19)
    expect(Buffer.from(bytes.subarray(at + 1, at + 9)).readBigUInt64LE()).toBe(0x7ff8000000000001n)
    expect(readHistogram(bytes, 0, bytes.length).isStale).toBe(false)
    const stale = Uint8Array.of(0x19, 2, 0, 0, 0, 0, 0, 0xf0, 0x7f)
    expect(readHistogram(stale, 0, stale.length).isStale).toBe(true)
  })

  test.each([
    ['a float that is cut', [0x19, 0, 0]],
    ['a count of another wire type', [0x09, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['a span that passes the message', [0x5a, 9, 8]],
    ['packed floats that are no whole number', [0x6a, 7, 0, 0, 0, 0, 0, 0, 0]],
  ])('is refused with %s', (_name, bytes) => {
    expect(() => readHistogram(Uint8Array.from(bytes), 0, bytes.length)).toThrow(WireError)
  })

  test('of any bytes is read or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          readHistogram(bytes, 0, bytes.length)
        } catch (error) {
          expect(error).toBeInstanceOf(WireError)
        }
      }),
      { numRuns: 500 },
    )
  })
})
