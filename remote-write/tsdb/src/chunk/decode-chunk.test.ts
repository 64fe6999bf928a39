import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { SampleColumns } from '@narthex/model/sample-columns'
import { gaugeHistogram, noReset } from '@narthex/model/reset-hint'
import * as encodings from './chunk-encoding.ts'
import { decodeChunk } from './decode-chunk.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { bucketCountsMax } from './histogram-decoder.ts'
import { spansMax } from './histogram-layout.ts'
import { StartTimeColumn } from './start-time-column.ts'
import { anyFloatSamples, anyHistograms } from './testdata/any-samples.ts'
import { BitText, floatBits, staleBits } from './testdata/bit-text.ts'
import { writeHistograms, writeXor, writeXor2, type FloatSample, type HistogramSample, type Layout } from './testdata/chunk-writer.ts'
import { ChunkError } from './xor-decoder.ts'

let floats = new SampleColumns()
let startTimes = new StartTimeColumn()
let histograms = new HistogramColumns()

beforeEach(clear)

function clear(): void {
  floats = new SampleColumns(1)
  startTimes = new StartTimeColumn(1)
  histograms = new HistogramColumns(1, 1)
}

function decode(encoding: number, bytes: Uint8Array, minTimeMs?: number, maxTimeMs?: number): void {
  decodeChunk(encoding, bytes, { floats, startTimes, histograms }, minTimeMs, maxTimeMs)
}

function wordAt(words: Uint32Array, i: number): bigint {
  return (BigInt(words[2 * i + 1]!) << 32n) | BigInt(words[2 * i]!)
}

function listFloats(): FloatSample[] {
  return Array.from({ length: floats.length }, (_, i) => ({
    time: BigInt(floats.times[i]!),
    start: BigInt(startTimes.times[i]!),
    bits: wordAt(floats.words, i),
  }))
}

function listHistograms(hasStartTimes: boolean): HistogramSample[] {
  return Array.from({ length: histograms.length }, (_, i) => {
    const middle = histograms.bucketStart(i) + histograms.layout(i).positiveBuckets
    return {
      time: BigInt(histograms.times[i]!),
      start: hasStartTimes ? BigInt(histograms.startTimes[i]!) : 0n,
      count: histograms.counts[i]!,
      zeroCount: histograms.zeroCounts[i]!,
      sum: wordAt(histograms.sumWords, i),
      positive: [...histograms.buckets.subarray(histograms.bucketStart(i), middle)],
      negative: [...histograms.buckets.subarray(middle, histograms.bucketEnds[i])],
    }
  })
}

/** What is left of a sample that is stale. */
function expected(samples: readonly HistogramSample[], hasStartTimes: boolean): HistogramSample[] {
  return samples.map((sample) => {
    const known = hasStartTimes ? sample : { ...sample, start: 0n }
    return sample.sum === staleBits ? { ...known, count: 0, zeroCount: 0, positive: [], negative: [] } : known
  })
}

const noLayout: Layout = { schema: 0, zeroThreshold: 0, positiveSpans: [], negativeSpans: [], customValues: [] }

describe('floats', () => {
  it('of XOR chunks come with their bits, start times not known', () => {
    fc.assert(
      fc.property(anyFloatSamples, (samples) => {
        clear()
        decode(encodings.xorEncoding, writeXor(samples))
        expect(listFloats()).toEqual(samples.map((sample) => ({ ...sample, start: 0n })))
      }),
      { numRuns: 60 },
    )
  })

  it('of XOR2 chunks come with their bits and start times', () => {
    fc.assert(
      fc.property(anyFloatSamples, (samples) => {
        clear()
        decode(encodings.xor2Encoding, writeXor2(samples))
        expect(listFloats()).toEqual(samples)
      }),
      { numRuns: 200 },
    )
  })

  it('of XOR2 chunks have the bytes that the format describes', () => {
    // 4 samples, first start known, none changes · t0 = 1 (zigzag 2), 1.0 · start 1 before t0 · delta 15, same
    // then dod 0 and stale: 11111; dod 1 and the value of before the marker: 110 + 13 bits + 0
    const bits = new BitText().put(4, 16).put(0x80, 8).put(2, 8).put(floatBits(1), 64).put(2, 8)
    bits.put(15, 8).raw('0').raw('11111').raw('110').put(1, 13).raw('0')
    decode(encodings.xor2Encoding, bits.bytes())
    expect(listFloats()).toEqual(
      [
        [1n, floatBits(1)],
        [16n, floatBits(1)],
        [31n, staleBits],
        [47n, floatBits(1)],
      ].map(([time, word]) => ({ time, start: 0n, bits: word })),
    )
  })

  it('of XOR2 chunks take the first and last change of time of each range', () => {
    for (const change of [-4096, 4095, -4097, 4096, -524_288, 524_287, -524_289, 524_288]) {
      const times = [0, 2 ** 30, 2 ** 31 + change, 2 ** 31 + 2 ** 30 + 2 * change]
      const samples = times.map((time, i) => ({ time: BigInt(time), start: 0n, bits: floatBits(i) }))
      clear()
      decode(encodings.xor2Encoding, writeXor2(samples))
      expect(listFloats()).toEqual(samples)
    }
  })

  it('of XOR2 chunks may change their start time first at sample 127 and behind it', () => {
    for (const change of [1, 126, 127, 128, 139]) {
      const samples = Array.from({ length: 140 }, (_, i) => ({
        time: BigInt(i * 1000),
        start: i < change ? 7n : 8n,
        bits: floatBits(i),
      }))
      clear()
      decode(encodings.xor2Encoding, writeXor2(samples))
      expect(listFloats()).toEqual(samples)
    }
  })
})

describe.each([
  [encodings.histogramEncoding, false, false],
  [encodings.floatHistogramEncoding, true, false],
  [encodings.histogramStEncoding, false, true],
  [encodings.floatHistogramStEncoding, true, true],
])('histograms of encoding %i', (encoding, isFloat, hasStartTimes) => {
  it('come with all they have', () => {
    fc.assert(
      fc.property(anyHistograms(isFloat), fc.integer({ min: 0, max: 3 }), ({ layout, samples }, header) => {
        clear()
        decode(encoding, writeHistograms(samples, layout, { isFloat, hasStartTimes, header }))
        expect(listHistograms(hasStartTimes)).toEqual(expected(samples, hasStartTimes))
        const first = samples.findIndex(({ sum }) => sum !== staleBits)
        if (first === 0) expect(histograms.layout(0)).toMatchObject({ ...layout, isFloat })
        samples.forEach((_, i) => {
          expect(histograms.hints[i]).toBe(header === gaugeHistogram || i === 0 ? header : noReset)
          expect(histograms.isStale(i)).toBe(samples[i]!.sum === staleBits)
        })
      }),
      { numRuns: 80 },
    )
  })

  it('may all be stale', () => {
    const samples = [1n, 5n, 9n].map((time) => ({ time, start: 0n, count: 0, zeroCount: 0, sum: staleBits, positive: [], negative: [] }))
    decode(encoding, writeHistograms(samples, noLayout, { isFloat, hasStartTimes, header: 1 }))
    expect(listHistograms(true)).toEqual(samples)
  })

  it('come only of the time asked for', () => {
    const samples = Array.from({ length: 20 }, (_, i) => ({
      ...{ time: BigInt(i * 10), start: 0n, count: i, zeroCount: 0, sum: floatBits(i) },
      ...{ positive: [i], negative: [] },
    }))
    const layout = { ...noLayout, positiveSpans: [{ offset: 1, length: 1 }] }
    decode(encoding, writeHistograms(samples, layout, { isFloat, hasStartTimes, header: 0 }), 50, 80)
    expect(listHistograms(true)).toEqual(samples.slice(5, 9))
  })

  it('share one layout over chunks', () => {
    const samples = [{ time: 1n, start: 0n, count: 1, zeroCount: 0, sum: 0n, positive: [1], negative: [] }]
    const layout = { ...noLayout, positiveSpans: [{ offset: 1, length: 1 }] }
    const bytes = writeHistograms(samples, layout, { isFloat, hasStartTimes, header: 0 })
    decode(encoding, bytes)
    decode(encoding, bytes)
    expect(histograms.layouts).toHaveLength(1)
    expect(histograms.length).toBe(2)
  })

  it('that are damaged give a ChunkError and leave the columns as they were', () => {
    const samples = Array.from({ length: 9 }, (_, i) => ({
      ...{ time: BigInt(i * 10), start: 0n, count: i, zeroCount: 0, sum: floatBits(i) },
      ...{ positive: [i, 2, i], negative: [i] },
    }))
    const layout = { ...noLayout, positiveSpans: [{ offset: 1, length: 3 }], negativeSpans: [{ offset: 1, length: 1 }] }
    const bytes = writeHistograms(samples, layout, { isFloat, hasStartTimes, header: 0 })
    decode(encoding, bytes)
    for (let length = 0; length < bytes.length; length++) expect(() => decode(encoding, bytes.subarray(0, length))).toThrow(ChunkError)
    expect(histograms.length).toBe(9)
    expect(histograms.layouts).toHaveLength(1)
  })

  it('are bounded by what the bytes can hold', () => {
    const head = (): BitText => new BitText().put(9, 16).put(0, 8).put(0, 8).raw('0')
    const filled = (bits: BitText): Uint8Array => bits.raw('0'.repeat(4096)).bytes()
    const error = (bits: BitText): string => {
      try {
        decode(encoding, filled(bits))
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(ChunkError)
        return (thrown as Error).message
      }
      return ''
    }
    expect(error(head().varbitUint(1n << 40n))).toContain('spans in what is left, got 1099511627776')
    expect(error(head().varbitUint(BigInt(spansMax) + 1n))).toContain('spans')
    expect(error(head().varbitUint(1n).varbitUint(5000n))).toContain('buckets in a span')
    expect(error(head().varbitUint(2n).varbitUint(4000n).raw('0').varbitUint(4000n).raw('0'))).toContain(
      'buckets in what is left, got 8000',
    )
    expect(error(head().varbitUint(2n).varbitUint(1n).raw('0').varbitUint(1n).varbitInt(-1n))).toContain('offset of span 1')
    expect(
      error(
        head()
          .varbitUint(1n)
          .varbitUint(1n)
          .varbitInt(1n << 31n),
      ),
    ).toContain('offset of span 0')
    expect(error(new BitText().put(9, 16).put(0, 8).put(0, 8).varbitInt(53n))).toContain('schema')
    expect(error(new BitText().put(9, 16).put(0, 8).put(0, 8).varbitInt(-53n).raw('00').varbitUint(2000n))).toContain('bounds')
  })
})

it('a chunk of too many bucket counts is refused before they are allocated', () => {
  const buckets = Math.floor(bucketCountsMax / 65_535) + 1
  const bits = new BitText().put(65_535, 16).put(0, 16).raw('0').varbitUint(1n).varbitUint(BigInt(buckets)).raw('00')
  expect(() => decode(encodings.histogramEncoding, bits.raw('0'.repeat(buckets * 2)).bytes())).toThrow('bucket counts, got')
})

it('an encoding that nobody knows is refused by its number', () => {
  for (const encoding of [0, 7, 129]) expect(() => decode(encoding, new Uint8Array(9))).toThrow(`want encoding 1 to 6, got ${encoding}`)
  expect([0, 1, 2, 3, 4, 5, 6, 7].map(encodings.nameOfEncoding)).toEqual([
    'none',
    'XOR',
    'histogram',
    'floathistogram',
    'XOR2',
    'histogramST',
    'floathistogramST',
    '<unknown>',
  ])
})

it('strange bytes give samples or a ChunkError', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.uint8Array({ maxLength: 300 }), (encoding, bytes) => {
      clear()
      try {
        decode(encoding, bytes)
        expect(floats.length + histograms.length).toBeLessThanOrEqual(65_535)
      } catch (error) {
        expect(error).toBeInstanceOf(ChunkError)
        expect(floats.length + startTimes.length + histograms.length).toBe(0)
      }
    }),
    { numRuns: 1000 },
  )
})
