import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { customBucketsSchema } from '@narthex/model/native-histogram'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { counterReset, gaugeHistogram, noReset, unknownReset } from '@narthex/model/reset-hint'
import { histogramRecordOf, readHistogram } from './histogram-payload.ts'
import type { LoggedHistogram } from './histogram-payload.ts'
import { readRecord } from './read-record.ts'
import { RecordBuilder } from './record-builder.ts'
import { RecordEntries } from './record-entries.ts'
import { reduceSchema } from './reduce-schema.ts'
import { histogramOf } from './wal.test-histograms.ts'
import { readLabels, readMetadata } from './text-payload.ts'
import { CorruptionError, hasFloatHistograms } from './wal-format.ts'

const reference = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 2 ** 40 - 1 }))
const timeMs = fc.oneof(fc.integer({ min: 1_700_000_000_000, max: 1_700_000_009_000 }), fc.integer({ min: -(2 ** 50), max: 2 ** 50 }))
const word = fc.oneof(fc.constantFrom(0, 2, 1, 0x7ff00000, 0x7ff80000, 0xffffffff), fc.nat(0xffffffff))
const text = fc.string({ maxLength: 12, unit: 'grapheme' })
const labels = fc.array(fc.tuple(text, text), { maxLength: 5 }).map((pairs) => pairs.flat())
const double = fc.double({ noNaN: true })
const count = fc.oneof(fc.nat(1000), fc.nat(2 ** 52))

const logged: fc.Arbitrary<LoggedHistogram> = fc
  .record({
    isFloat: fc.boolean(),
    isCustom: fc.boolean(),
    schema: fc.integer({ min: -4, max: 8 }),
    positive: fc.array(fc.tuple(fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: 0, max: 4 })), { maxLength: 4 }),
    negative: fc.array(fc.tuple(fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: 0, max: 4 })), { maxLength: 4 }),
    numbers: fc.array(double, { minLength: 40, maxLength: 40 }),
    deltas: fc.array(fc.integer({ min: -(2 ** 50), max: 2 ** 50 }), { minLength: 32, maxLength: 32 }),
    counts: fc.tuple(count, count),
    resetHint: fc.constantFrom(unknownReset, counterReset, noReset, gaugeHistogram),
    sumLow: word,
    sumHigh: word,
  })
  .map(({ isFloat, isCustom, schema, positive, negative, numbers, deltas, counts, resetHint, sumLow, sumHigh }) => {
    const positiveLength = positive.reduce((sum, [, length]) => sum + length, 0)
    const negativeLength = negative.reduce((sum, [, length]) => sum + length, 0)
    const histogram: NativeHistogram = {
      schema: isCustom ? customBucketsSchema : schema,
      isFloat,
      count: isFloat ? numbers[0]! : counts[0],
      sum: doubleOf(sumLow, sumHigh),
      zeroThreshold: numbers[1]!,
      zeroCount: isFloat ? numbers[2]! : counts[1],
      positiveSpans: positive.map(([offset, length]) => ({ offset, length })),
      negativeSpans: negative.map(([offset, length]) => ({ offset, length })),
      positiveDeltas: isFloat ? [] : deltas.slice(0, positiveLength),
      negativeDeltas: isFloat ? [] : deltas.slice(16, 16 + negativeLength),
      positiveCounts: isFloat ? numbers.slice(3, 3 + positiveLength) : [],
      negativeCounts: isFloat ? numbers.slice(20, 20 + negativeLength) : [],
      customValues: isCustom ? numbers.slice(36) : [],
      isGauge: resetHint === gaugeHistogram,
    }
    return { histogram, resetHint, sumLow, sumHigh }
  })

function doubleOf(low: number, high: number): number {
  return new Float64Array(Uint32Array.of(low, high).buffer)[0]!
}

/** The record of these entries, read again. */
function roundTrip(type: number, add: (builder: RecordBuilder) => void): { record: Uint8Array; entries: RecordEntries } {
  const builder = new RecordBuilder()
  builder.begin(type)
  add(builder)
  const record = builder.view().slice()
  const entries = new RecordEntries()
  expect(readRecord(record, entries)).toBe(type)
  expect(entries.length).toBe(builder.count)
  return { record, entries }
}

function hex(bytes: string): Uint8Array {
  return Uint8Array.from(bytes.split(' ').map((byte) => parseInt(byte, 16)))
}

describe('a record is read as it was written', () => {
  it('of series, whose copied payload makes the same record', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(reference, labels), { maxLength: 20 }), (series) => {
        const { record, entries } = roundTrip(1, (builder) => series.forEach(([ref, pairs]) => builder.addSeries(ref, pairs)))
        expect(series).toEqual(series.map((_, i) => [entries.refs[i], readLabels(record, entries.starts[i]!, entries.ends[i]!)]))
        expect(copy(1, record, entries)).toEqual(record)
      }),
    )
  })

  it.each([2, 11])('of samples, type %i, every bit of the value kept', (type) => {
    fc.assert(
      fc.property(fc.array(fc.tuple(reference, timeMs, word, word, fc.oneof(fc.constant(0), timeMs)), { maxLength: 40 }), (samples) => {
        const { entries } = roundTrip(type, (builder) => samples.forEach((sample) => builder.addSample(...sample)))
        const { refs, times, words, secondTimes } = entries
        expect(samples.map((_, i) => [refs[i], times[i], words[2 * i], words[2 * i + 1], secondTimes[i]])).toEqual(
          samples.map(([ref, time, low, high, start]) => [ref, time, low, high, type === 2 ? 0 : start]),
        )
      }),
    )
  })

  it('of tombstones, up to the ends of time', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(reference, fc.oneof(timeMs, fc.constant(-Infinity)), fc.oneof(timeMs, fc.constant(Infinity)))),
        (stones) => {
          const { record, entries } = roundTrip(3, (builder) => stones.forEach((stone) => builder.addTombstone(...stone)))
          const clamp = (time: number): number => Math.min(2 ** 63, Math.max(-(2 ** 63), time))
          expect(stones.map((_, i) => [entries.refs[i], entries.times[i], entries.secondTimes[i]])).toEqual(
            stones.map(([ref, first, last]) => [ref, clamp(first), clamp(last)]),
          )
          const again = new RecordBuilder()
          again.begin(3)
          for (let i = 0; i < stones.length; i++) again.addTombstone(entries.refs[i]!, entries.times[i]!, entries.secondTimes[i]!)
          expect(again.view()).toEqual(record)
        },
      ),
    )
  })

  it('of exemplars', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(reference, timeMs, word, word, labels), { maxLength: 20 }), (exemplars) => {
        const { record, entries } = roundTrip(4, (builder) => exemplars.forEach((exemplar) => builder.addExemplar(...exemplar)))
        const { refs, times, words, starts, ends } = entries
        expect(exemplars).toEqual(
          exemplars.map((_, i) => [refs[i], times[i], words[2 * i], words[2 * i + 1], readLabels(record, starts[i]!, ends[i]!)]),
        )
        expect(copy(4, record, entries)).toEqual(record)
      }),
    )
  })

  it('of markers', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(reference, fc.nat(2 ** 24), fc.nat(2 ** 27)), { maxLength: 20 }), (markers) => {
        const { entries } = roundTrip(5, (builder) => markers.forEach((marker) => builder.addMarker(...marker)))
        expect(markers).toEqual(markers.map((_, i) => [entries.refs[i], entries.secondTimes[i], entries.words[2 * i]]))
      }),
    )
  })

  it('of metadata', () => {
    const type = fc.constantFrom('unknown', 'counter', 'gauge', 'histogram', 'gaugehistogram', 'summary', 'info', 'stateset')
    fc.assert(
      fc.property(fc.array(fc.tuple(reference, fc.record({ type, unit: text, help: text })), { maxLength: 20 }), (metadata) => {
        const { record, entries } = roundTrip(6, (builder) => metadata.forEach(([ref, of]) => builder.addMetadata(ref, of as never)))
        expect(metadata).toEqual(metadata.map((_, i) => [entries.refs[i], readMetadata(record, entries.starts[i]!, entries.ends[i]!)]))
        expect(copy(6, record, entries)).toEqual(record)
      }),
    )
  })

  it('of histograms of all six types', () => {
    const seen = new Set<number>()
    fc.assert(
      fc.property(fc.array(fc.tuple(reference, timeMs, logged, timeMs), { minLength: 1, maxLength: 4 }), fc.boolean(), (all, hasStarts) => {
        const plain = histogramRecordOf(all[0]![2].histogram)
        const type = hasStarts ? (all[0]![2].histogram.isFloat ? 13 : 12) : plain
        seen.add(type)
        const fitting = all.filter(([, , { histogram }]) =>
          hasStarts ? histogram.isFloat === hasFloatHistograms(type) : histogramRecordOf(histogram) === type,
        )
        const { record, entries } = roundTrip(type, (builder) => fitting.forEach((sample) => builder.addHistogram(...sample)))
        fitting.forEach(([ref, time, sample, start], i) => {
          const read = readHistogram(record, entries.starts[i]!, entries.ends[i]!, hasFloatHistograms(type))
          expect(read).toEqual(sample)
          expect([entries.refs[i], entries.times[i], entries.secondTimes[i]]).toEqual([ref, time, hasStarts ? start : 0])
        })
        expect(copy(type, record, entries)).toEqual(record)
      }),
      { numRuns: 300 },
    )
    expect([...seen].sort((a, b) => a - b)).toEqual([7, 8, 9, 10, 12, 13])
  })
})

/** The record again, its payloads copied. */
function copy(type: number, record: Uint8Array, entries: RecordEntries): Uint8Array {
  const { refs, times, secondTimes, words, starts, ends } = entries
  const builder = new RecordBuilder()
  builder.begin(type)
  for (let i = 0; i < entries.length; i++)
    builder.addPayload(refs[i]!, times[i]!, secondTimes[i]!, words[2 * i]!, words[2 * i + 1]!, record, starts[i]!, ends[i]!)
  return builder.view()
}

describe('a record', () => {
  it('of integer histograms has the bytes that the format prescribes', () => {
    const builder = new RecordBuilder()
    builder.begin(7)
    builder.addHistogram(5, 256, histogramOf(false))
    builder.addHistogram(4, 255, histogramOf(false, { isStale: true }))
    const one = '02 06 37 f0 00 00 00 00 00 00 02 09 40 29 00 00 00 00 00 00 02 03 02 06 01 00 03 02 04 01 00'
    const two = '02 06 37 f0 00 00 00 00 00 00 02 09 7f f0 00 00 00 00 00 02 02 03 02 06 01 00 03 02 04 01 00'
    expect(builder.view()).toEqual(hex(`07 00 00 00 00 00 00 00 05 00 00 00 00 00 00 01 00 00 00 ${one} 01 01 ${two}`))
  })

  it('with start times counts references from the one before, times from the first', () => {
    const entries = new RecordEntries()
    const value = '3f f0 00 00 00 00 00 00'
    // 5 at 100 from 90, 6 at 101 the same start, 4 at 99 none, 4 at 98 from 91.
    readRecord(hex(`0b 0a c8 01 b4 01 ${value} 02 02 01 ${value} 03 01 00 ${value} 00 03 02 02 ${value}`), entries)
    expect([...entries.refs.subarray(0, 4)]).toEqual([5, 6, 4, 4])
    expect([...entries.times.subarray(0, 4)]).toEqual([100, 101, 99, 98])
    expect([...entries.secondTimes.subarray(0, 4)]).toEqual([90, 90, 0, 91])
  })

  it('of any bytes is read or is damage, and takes no more memory than its bytes explain', () => {
    const entries = new RecordEntries()
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 14 }), fc.uint8Array({ maxLength: 120 }), (type, bytes) => {
        const record = Uint8Array.of(type, ...bytes)
        try {
          readRecord(record, entries)
        } catch (error) {
          expect(error).toBeInstanceOf(CorruptionError)
          return
        }
        expect(entries.length).toBeLessThanOrEqual(bytes.length)
        for (let i = 0; i < entries.length && type >= 7 && type !== 11 && type < 14; i++)
          readHistogram(record, entries.starts[i]!, entries.ends[i]!, hasFloatHistograms(type))
      }),
      { numRuns: 3000 },
    )
  })

  it('takes references up to 2^53 - 1, which a number holds exactly, and none above', () => {
    const value = '3f f0 00 00 00 00 00 00'
    const largest = '00 1f ff ff ff ff ff ff'
    const tooLarge = '00 20 00 00 00 00 00 00'
    const time = '00 00 00 00 00 00 00 00'
    const refs = (record: string): number[] => {
      const entries = new RecordEntries()
      readRecord(hex(record), entries)
      return [...entries.refs.subarray(0, entries.length)]
    }
    for (const [of, refused] of [
      [(ref: string) => `01 ${ref} 00`, 'a series'],
      [(ref: string) => `02 ${ref} ${time} 00 00 ${value}`, 'a sample'],
      [(ref: string) => `03 ${ref} 00 00`, 'a tombstone'],
      [(ref: string) => `04 ${ref} ${time} 00 00 ${value} 00`, 'an exemplar'],
      [(ref: string) => `80 ${ref}`, 'the highest reference'],
    ] as const) {
      expect(refs(of(largest)), refused).toEqual([Number.MAX_SAFE_INTEGER])
      expect(() => refs(of(tooLarge)), refused).toThrow(/series reference 9007199254740992 is not in 0 to 2\^53/)
    }
    // By its distance to the first, by a short and by a long varint; and below 0.
    expect(() => refs(`02 ${largest} ${time} 02 00 ${value}`)).toThrow(/is not in 0 to 2\^53/)
    expect(() => refs(`02 ${largest} ${time} 80 80 80 80 02 00 ${value}`)).toThrow(/is not in 0 to 2\^53/)
    expect(() => refs(`02 ${time} ${time} 01 00 ${value}`)).toThrow(/series reference -1 is not in 0 to 2\^53/)
    // Metadata have it as a varint.
    expect(refs('06 ff ff ff ff ff ff ff 0f 01 00')).toEqual([Number.MAX_SAFE_INTEGER])
    expect(() => refs('06 80 80 80 80 80 80 80 10 01 00')).toThrow(/series reference 9007199254740992 is not in 0 to 2\^53/)
  })

  it('that ends early is damage at every byte, unless an entry ends there', () => {
    const builder = new RecordBuilder()
    builder.begin(8)
    builder.addHistogram(5, 256, histogramOf(true))
    const record = builder.view().slice()
    for (let length = 2; length < record.length; length++) {
      if (length === 17) continue
      expect(() => readRecord(record.subarray(0, length), new RecordEntries()), String(length)).toThrow(/cannot read record of type 8/)
    }
  })

  it('of an unknown type has no entries', () => {
    const entries = new RecordEntries()
    expect(readRecord(Uint8Array.of(77, 1, 2, 3), entries)).toBe(77)
    expect(entries.length).toBe(0)
    expect(readRecord(new Uint8Array(0), entries)).toBe(0)
  })

  it('refuses an entry of another type', () => {
    const builder = new RecordBuilder()
    builder.begin(2)
    expect(() => builder.addSeries(1, [])).toThrow(/want an entry of type 2, got one of type 1/)
  })
})

describe('a histogram', () => {
  it.each([
    [-10, false],
    [-9, true],
    [52, true],
    [53, false],
    [-53, true],
  ])('of schema %i can be used: %s', (schema, isKnown) => {
    const customValues = schema === -53 ? [1, 2] : []
    const { record, entries } = roundTrip(7, (builder) => builder.addHistogram(1, 1, histogramOf(false, { schema, customValues })))
    expect(readHistogram(record, entries.starts[0]!, entries.ends[0]!, false) !== undefined).toBe(isKnown)
  })

  it('whose spans and buckets disagree cannot be used', () => {
    const broken = histogramOf(false)
    const histogram = { ...broken.histogram, positiveDeltas: [1] }
    const { record, entries } = roundTrip(7, (builder) => builder.addHistogram(1, 1, { ...broken, histogram }))
    expect(readHistogram(record, entries.starts[0]!, entries.ends[0]!, false)).toBeUndefined()
  })

  it('above schema 8 is reduced to it, neighbours added up', () => {
    const { histogram } = histogramOf(false, { schema: 9 })
    // Buckets -2, -1 and 3 with 1, 3, 2 at schema 9 are -1, 0 and 2 at schema 8: (index - 1 >> 1) + 1.
    expect(reduceSchema(histogram, 8)).toMatchObject({
      schema: 8,
      positiveSpans: [
        { offset: -1, length: 2 },
        { offset: 1, length: 1 },
      ],
      positiveDeltas: [1, 2, -1],
    })
    expect(reduceSchema({ ...histogram, schema: 10 }, 8)).toMatchObject({
      positiveSpans: [{ offset: 0, length: 2 }],
      positiveDeltas: [4, -2],
    })
    expect(reduceSchema(histogramOf(true, { schema: 10 }).histogram, 8)).toMatchObject({
      positiveSpans: [{ offset: 0, length: 2 }],
      positiveCounts: [4, 2],
      positiveDeltas: [],
    })
    const { record, entries } = roundTrip(7, (builder) => builder.addHistogram(1, 1, histogramOf(false, { schema: 9 })))
    expect(readHistogram(record, entries.starts[0]!, entries.ends[0]!, false)!.histogram).toEqual(reduceSchema(histogram, 8))
    expect(reduceSchema(histogramOf(false, { schema: 8 }).histogram, 8).schema).toBe(8)
    expect(reduceSchema(histogramOf(false, { customValues: [1] }).histogram, 8).schema).toBe(-53)
  })
})
