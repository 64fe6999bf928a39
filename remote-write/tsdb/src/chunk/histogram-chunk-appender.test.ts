import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BucketSpan, NativeHistogram } from '@narthex/model/native-histogram'
import { SampleColumns } from '@narthex/model/sample-columns'
import { counterReset, gaugeHistogram, noReset, unknownReset } from '@narthex/model/reset-hint'
import { decodeChunk } from './decode-chunk.ts'
import { HistogramChunkAppender } from './histogram-chunk-appender.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { anyHistograms } from './testdata/any-samples.ts'
import { floatBits, staleBits } from './testdata/bit-text.ts'
import { writeHistograms } from './testdata/chunk-writer.ts'
import { chunkSamplesMax } from './xor-encoder.ts'

interface Row {
  readonly positive?: Readonly<Record<number, number>>
  readonly negative?: Readonly<Record<number, number>>
  readonly count?: number
  readonly zeroCount?: number
  readonly sum?: number
  readonly schema?: number
  readonly zeroThreshold?: number
  readonly isGauge?: boolean
  readonly customValues?: readonly number[]
}

/** A histogram from counts by bucket index. */
function make(isFloat: boolean, row: Row): NativeHistogram {
  const positive = toSpans(row.positive ?? {})
  const negative = toSpans(row.negative ?? {})
  const sum = [...positive.counts, ...negative.counts].reduce((total, count) => total + count, 0)
  return {
    schema: row.schema ?? 0,
    isFloat,
    count: row.count ?? sum + (row.zeroCount ?? 0),
    sum: row.sum ?? 1.5 * sum,
    zeroThreshold: row.zeroThreshold ?? 0.001,
    zeroCount: row.zeroCount ?? 0,
    positiveSpans: positive.spans,
    negativeSpans: negative.spans,
    positiveDeltas: isFloat ? [] : positive.counts.map((count, i) => count - (positive.counts[i - 1] ?? 0)),
    negativeDeltas: isFloat ? [] : negative.counts.map((count, i) => count - (negative.counts[i - 1] ?? 0)),
    positiveCounts: isFloat ? positive.counts : [],
    negativeCounts: isFloat ? negative.counts : [],
    customValues: row.customValues ?? [],
    isGauge: row.isGauge ?? false,
  }
}

function toSpans(counts: Readonly<Record<number, number>>): { spans: BucketSpan[]; counts: number[] } {
  const indexes = Object.keys(counts)
    .map(Number)
    .toSorted((a, b) => a - b)
  const spans: { offset: number; length: number }[] = []
  let end = 0
  for (const index of indexes) {
    const last = spans.at(-1)
    if (last !== undefined && index === end) last.length++
    else spans.push({ offset: index - end, length: 1 })
    end = index + 1
  }
  return { spans, counts: indexes.map((index) => counts[index]!) }
}

function byIndex(spans: readonly BucketSpan[], counts: readonly number[]): Record<number, number> {
  const buckets: Record<number, number> = {}
  let index = 0
  let at = 0
  for (const { offset, length } of spans) {
    index += offset
    for (let i = 0; i < length; i++) buckets[index++] = counts[at++]!
  }
  return buckets
}

function decode(appender: HistogramChunkAppender): HistogramColumns {
  const histograms = new HistogramColumns()
  decodeChunk(appender.encoding, appender.bytes(), { floats: new SampleColumns(), histograms })
  return histograms
}

/** Positive or negative buckets of each sample, zeros included. */
function buckets(appender: HistogramChunkAppender, isNegative = false): Record<number, number>[] {
  const columns = decode(appender)
  return Array.from({ length: columns.length }, (_, i) => {
    const { positiveSpans, negativeSpans, positiveBuckets } = columns.layout(i)
    const start = columns.bucketStart(i)
    const middle = start + positiveBuckets
    if (isNegative) return byIndex(negativeSpans, [...columns.buckets.subarray(middle, columns.bucketEnds[i])])
    return byIndex(positiveSpans, [...columns.buckets.subarray(start, middle)])
  })
}

/** The buckets that are not empty. */
function listFull(row: Record<number, number>): string {
  const indexes = Object.keys(row).filter((index) => row[Number(index)]! > 0)
  return indexes
    .map(Number)
    .toSorted((a, b) => a - b)
    .map((index) => `${index}=${row[index]}`)
    .join(' ')
}

/** One zero behind them is a byte that was only begun. */
function expectBytes(got: Uint8Array, want: Uint8Array): void {
  expect(got.subarray(0, want.length)).toEqual(want)
  expect([...got.subarray(want.length)]).toEqual(got.length === want.length ? [] : [0])
}

describe.each([false, true])('a histogram chunk (floats: %s)', (isFloat) => {
  /** Answers of one appender to one histogram after another. */
  const answer = (...rows: Row[]): (number | undefined)[] => {
    const appender = new HistogramChunkAppender(isFloat)
    return rows.map((row, i) => appender.append(i * 1000, make(isFloat, row)))
  }

  it('has the bytes that the format describes, and gives back what was put in', () => {
    fc.assert(
      fc.property(anyHistograms(isFloat), fc.constantFrom(unknownReset, noReset, counterReset), ({ layout, samples }, header) => {
        const source = new HistogramColumns()
        const kind = { isFloat, hasStartTimes: false, header: gaugeHistogram }
        decodeChunk(isFloat ? 3 : 2, writeHistograms(samples, layout, kind), { floats: new SampleColumns(), histograms: source })
        // Gauges may fall, so that one chunk takes them all; a stale marker knows of no kind and fits only counters.
        if (samples.some(({ sum }) => sum === staleBits)) return
        const appender = new HistogramChunkAppender(isFloat, header)
        for (let i = 0; i < source.length; i++) expect(appender.appendFrom(source, i)).toBeUndefined()
        const want = writeHistograms(samples, layout, kind)
        expectBytes(appender.bytes(), want)
        expect(appender.byteLength).toBe(appender.bytes().length)
        expect(appender.sampleCount).toBe(samples.length)
      }),
      { numRuns: 100 },
    )
  })

  it('has the bytes that the format describes for stale markers, at its begin and end', () => {
    const kept = { start: 0n, count: 3, zeroCount: 0, sum: floatBits(4.5), positive: [3], negative: [] }
    const stale = { ...kept, sum: staleBits }
    const layout = { schema: 0, zeroThreshold: 0.001, positiveSpans: [{ offset: 1, length: 1 }], negativeSpans: [], customValues: [] }
    const empty = { schema: 0, zeroThreshold: 0, positiveSpans: [], negativeSpans: [], customValues: [] }
    const none = { ...stale, count: 0, positive: [] }
    const kind = { isFloat, hasStartTimes: false, header: unknownReset }
    const appender = new HistogramChunkAppender(isFloat)
    const stales = new HistogramChunkAppender(isFloat)
    const row = make(isFloat, { positive: { 1: 3 } })
    const before = [1n, 5n].map((time) => ({ ...kept, time }))
    before.forEach(({ time }) => expect(appender.append(Number(time), row)).toBeUndefined())
    for (const [i, time] of [9n, 12n, 20n].entries()) {
      expect(appender.appendStale(Number(time))).toBeUndefined()
      expect(stales.appendStale(Number(time))).toBeUndefined()
      // A float's counts are 0 from then on, an integer's are not looked at.
      const after = [9n, 12n, 20n].slice(0, i + 1).map((at) => ({ ...(isFloat ? { ...stale, count: 0 } : stale), time: at }))
      expectBytes(appender.bytes(), writeHistograms([...before, ...after], layout, kind))
      const only = after.map((sample) => ({ ...none, time: sample.time }))
      expectBytes(stales.bytes(), writeHistograms(only, empty, kind))
    }
  })

  it('takes what grows, buckets that come in between too, and writes the earlier samples anew', () => {
    const appender = new HistogramChunkAppender(isFloat)
    const rows: Row[] = [
      { positive: { 2: 1, 3: 2 }, negative: { 0: 1 } },
      { positive: { 2: 1, 3: 2 }, negative: { 0: 1 } },
      { positive: { 1: 1, 2: 1, 3: 5, 7: 1 }, negative: { 0: 1 } },
      { positive: { 1: 1, 2: 2, 3: 5, 7: 1 }, negative: { [-3]: 1, 0: 1, 1: 1 } },
    ]
    rows.forEach((row, i) => expect(appender.append(i * 1000, make(isFloat, row))).toBeUndefined())
    expect(buckets(appender)).toEqual([
      { 1: 0, 2: 1, 3: 2, 7: 0 },
      { 1: 0, 2: 1, 3: 2, 7: 0 },
      { 1: 1, 2: 1, 3: 5, 7: 1 },
      { 1: 1, 2: 2, 3: 5, 7: 1 },
    ])
    const columns = decode(appender)
    expect([...columns.times.subarray(0, 4)]).toEqual([0, 1000, 2000, 3000])
    expect([...columns.sums.subarray(0, 4)]).toEqual(rows.map((row) => make(isFloat, row).sum))
    const last = columns.histogram(3)
    expect(byIndex(last.negativeSpans, isFloat ? last.negativeCounts : [...columns.buckets.subarray(columns.bucketEnds[3]! - 3)])).toEqual({
      [-3]: 1,
      0: 1,
      1: 1,
    })
  })

  it('takes a histogram that lacks buckets which were empty', () => {
    const appender = new HistogramChunkAppender(isFloat)
    expect(appender.append(1, make(isFloat, { positive: { 0: 0, 1: 3, 2: 0 } }))).toBeUndefined()
    expect(appender.append(2, make(isFloat, { positive: { 1: 4 } }))).toBeUndefined()
    expect(appender.append(3, make(isFloat, { positive: { 1: 4, 5: 1 } }))).toBeUndefined()
    expect(buckets(appender)).toEqual([
      { 0: 0, 1: 3, 2: 0, 5: 0 },
      { 0: 0, 1: 4, 2: 0, 5: 0 },
      { 0: 0, 1: 4, 2: 0, 5: 1 },
    ])
  })

  it('ends at a counter reset: count, zero count, a bucket, or one that is gone', () => {
    const first = { positive: { 1: 3, 2: 3 }, negative: { 1: 2 }, zeroCount: 2 }
    expect(answer(first, { ...first, count: 9 })).toEqual([undefined, counterReset])
    expect(answer(first, { ...first, count: 10 })).toEqual([undefined, undefined])
    expect(answer(first, { ...first, zeroCount: 1, count: 99 })).toEqual([undefined, counterReset])
    expect(answer(first, { ...first, positive: { 1: 9, 2: 2 } })).toEqual([undefined, counterReset])
    expect(answer(first, { ...first, negative: { 1: 1 }, count: 99 })).toEqual([undefined, counterReset])
    expect(answer(first, { ...first, positive: { 2: 30 } })).toEqual([undefined, counterReset])
    expect(answer(first, { ...first, positive: { 1: 3, 2: 2, 4: 30 } })).toEqual([undefined, counterReset])
    expect(answer(first, { ...first, positive: { 0: 1, 1: 3, 2: 3, 4: 30 } })).toEqual([undefined, undefined])
  })

  it('ends where buckets mean something else, of which nothing is known', () => {
    const first = { positive: { 1: 3 } }
    expect(answer(first, { positive: { 1: 4 }, schema: 1 })).toEqual([undefined, unknownReset])
    expect(answer(first, { positive: { 1: 4 }, zeroThreshold: 0.002 })).toEqual([undefined, unknownReset])
    expect(answer(first, { positive: { 1: 4 }, zeroThreshold: 0.002, count: 1 })).toEqual([undefined, counterReset])
  })

  it('ends where custom bounds change', () => {
    const first = { schema: -53, customValues: [0.5, 1, 2.5], positive: { 0: 1, 2: 1 } }
    expect(answer(first, { ...first, positive: { 0: 1, 1: 1, 2: 1 } })).toEqual([undefined, undefined])
    expect(answer(first, { ...first, customValues: [0.5, 1, 2.6] })).toEqual([undefined, counterReset])
    expect(answer(first, { ...first, customValues: [0.5, 1] })).toEqual([undefined, counterReset])
    const appender = new HistogramChunkAppender(isFloat)
    appender.append(1, make(isFloat, { ...first, zeroThreshold: 0 }))
    expect(decode(appender).histogram(0)).toEqual(make(isFloat, { ...first, zeroThreshold: 0 }))
  })

  it('is of gauges or of counters; gauges may fall', () => {
    const gauge = { positive: { 1: 3, 2: 3 }, isGauge: true }
    expect(answer(gauge, { positive: { 2: 1, 9: 1 }, isGauge: true })).toEqual([undefined, undefined])
    expect(answer(gauge, { positive: { 1: 3, 2: 3 } })).toEqual([undefined, unknownReset])
    expect(answer({ positive: { 1: 3 } }, gauge)).toEqual([undefined, gaugeHistogram])
    expect(answer(gauge, { ...gauge, schema: 3 })).toEqual([undefined, gaugeHistogram])
    const appender = new HistogramChunkAppender(isFloat, noReset)
    appender.append(1, make(isFloat, gauge))
    appender.append(2, make(isFloat, { positive: { 2: 1, 9: 1 }, isGauge: true }))
    expect(appender.header).toBe(gaugeHistogram)
    expect(buckets(appender)).toEqual([
      { 1: 3, 2: 3, 9: 0 },
      { 1: 0, 2: 1, 9: 1 },
    ])
    expect(decode(appender).histogram(1).isGauge).toBe(true)
    expect(new HistogramChunkAppender(isFloat, gaugeHistogram).append(1, make(isFloat, {}))).toBeUndefined()
  })

  it('takes a stale marker, and then only stale markers', () => {
    const appender = new HistogramChunkAppender(isFloat)
    const row = make(isFloat, { positive: { 1: 3 } })
    appender.append(1000, row)
    appender.append(2000, row)
    expect(appender.appendStale(3000)).toBeUndefined()
    expect(appender.appendStale(4000)).toBeUndefined()
    expect(appender.append(5000, row)).toBe(unknownReset)
    const columns = decode(appender)
    expect([0, 1, 2, 3].map((i) => columns.isStale(i))).toEqual([false, false, true, true])
    expect([...columns.times.subarray(0, 4)]).toEqual([1000, 2000, 3000, 4000])
    expect([...columns.bucketEnds.subarray(0, 4)]).toEqual([1, 2, 2, 2])
    const second = new HistogramChunkAppender(isFloat)
    expect(second.appendStale(1)).toBeUndefined()
    expect(second.append(2, row)).toBe(unknownReset)
    expect(decode(second).isStale(0)).toBe(true)
    const gauges = new HistogramChunkAppender(isFloat)
    gauges.append(1, make(isFloat, { isGauge: true }))
    expect(gauges.appendStale(2)).toBe(unknownReset)
  })

  it('keeps the reset that its source knows of', () => {
    const appender = new HistogramChunkAppender(isFloat, noReset)
    appender.append(1, make(isFloat, { positive: { 1: 3 } }), counterReset)
    expect(appender.header).toBe(counterReset)
    expect(appender.append(2, make(isFloat, { positive: { 1: 4 } }), counterReset)).toBe(counterReset)
    expect(appender.append(2, make(isFloat, { positive: { 1: 4 } }), noReset)).toBeUndefined()
    expect([...decode(appender).hints.subarray(0, 2)]).toEqual([counterReset, noReset])
  })

  it('that is full says what the next one begins with', () => {
    const appender = new HistogramChunkAppender(isFloat)
    expect(appender.headerOfNext(make(isFloat, { positive: { 1: 3 } }))).toBe(unknownReset)
    appender.append(1, make(isFloat, { positive: { 1: 3 } }))
    expect(appender.headerOfNext(make(isFloat, { positive: { 1: 3, 2: 1 } }))).toBe(noReset)
    expect(appender.headerOfNext(make(isFloat, { positive: { 1: 2 } }))).toBe(counterReset)
    expect(appender.headerOfNext(make(isFloat, { positive: { 1: 3 }, schema: 2 }))).toBe(unknownReset)
    expect(appender.headerOfNext(make(isFloat, { positive: { 1: 3 }, isGauge: true }))).toBe(gaugeHistogram)
  })

  it('takes 65,535 samples and no more', () => {
    const appender = new HistogramChunkAppender(isFloat)
    const row = make(isFloat, {})
    for (let i = 0; i < chunkSamplesMax; i++) appender.append(i, row)
    expect(appender.sampleCount).toBe(65_535)
    expect(appender.append(65_535, row)).toBe(noReset)
    expect(decode(appender).length).toBe(65_535)
  })

  it('refuses times that fall, spans that do not fit the buckets, and the other kind', () => {
    const appender = new HistogramChunkAppender(isFloat)
    const row = make(isFloat, { positive: { 1: 3 } })
    appender.append(5, row)
    expect(() => appender.append(4, row)).toThrow('want rising times, got 4 after 5')
    expect(() => appender.append(5, { ...row, positiveSpans: [] })).toThrow(
      'want 0 positive and 0 negative buckets, as its spans say, got 1',
    )
    expect(appender.append(6, make(!isFloat, {}))).toBe(unknownReset)
    expect(() => new HistogramChunkAppender(isFloat).append(6, make(!isFloat, {}))).toThrow(isFloat ? 'want floats' : 'want integers')
    expect(() => appender.append(2 ** 53, row)).toThrow('want a time in whole ms')
    if (!isFloat) expect(() => appender.append(7, { ...row, count: -1 })).toThrow('of at least 0, got -1 and 0')
    expect(appender.sampleCount).toBe(1)
  })

  it('keeps a sum that is NaN', () => {
    const appender = new HistogramChunkAppender(isFloat)
    appender.append(1, make(isFloat, { sum: NaN }))
    const { sumWords } = decode(appender)
    expect([sumWords[0], sumWords[1]]).toEqual([1, 0x7ff8_0000])
  })

  it('holds any growing histograms, cut as often as it says', () => {
    const anyRow = fc.dictionary(fc.integer({ min: -5, max: 9 }).map(String), fc.integer({ min: 0, max: 3 }), { maxKeys: 6 })
    fc.assert(
      fc.property(fc.array(anyRow, { minLength: 1, maxLength: 30 }), (changes) => {
        const chunks = [new HistogramChunkAppender(isFloat)]
        const want: string[] = []
        let counts: Record<number, number> = {}
        changes.forEach((change, i) => {
          counts = { ...counts }
          if (i % 11 === 10) counts = {}
          for (const [index, more] of Object.entries(change)) counts[Number(index)] = (counts[Number(index)] ?? 0) + more
          // Every third index is a negative bucket.
          const side = (isNegative: boolean): Record<number, number> =>
            Object.fromEntries(
              // Empty buckets are left out now and then.
              Object.entries(counts).filter(
                ([index, count]) => (Math.abs(Number(index)) % 3 === 1) === isNegative && (count > 0 || i % 2 === 0),
              ),
            )
          const row = make(isFloat, { positive: side(false), negative: side(true) })
          want.push(`${i}: ${listFull(side(false))} / ${listFull(side(true))}`)
          const refusal = chunks.at(-1)!.append(i, row)
          if (refusal === undefined) return
          expect([refusal, i % 11]).toEqual([counterReset, 10])
          chunks.push(new HistogramChunkAppender(isFloat, refusal))
          expect(chunks.at(-1)!.append(i, row)).toBeUndefined()
        })
        const got = chunks.flatMap((chunk) => {
          const negative = buckets(chunk, true)
          const { times } = decode(chunk)
          return buckets(chunk).map((row, i) => `${times[i]}: ${listFull(row)} / ${listFull(negative[i]!)}`)
        })
        expect(got).toEqual(want)
      }),
      { numRuns: 150 },
    )
  })
})
