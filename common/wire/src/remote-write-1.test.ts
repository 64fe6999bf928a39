import fc from 'fast-check'
import protobuf from 'protobufjs'
import { describe, expect, test } from 'vitest'
import { LabelPairs } from './label-pairs.ts'
import { WireError } from './protobuf-cursor.ts'
import { RemoteWrite1Reader } from './remote-write-1.ts'
import { RemoteWrite1Writer } from './remote-write-1-writer.ts'
import { locateSymbols } from './symbol-table.ts'

const schema = protobuf.parse(`
  syntax = "proto3";
  message WriteRequest { repeated TimeSeries timeseries = 1; reserved 2; repeated Meta metadata = 3; bytes extra = 9; }
  message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3; repeated Histogram histograms = 4; }
  message Label { string name = 1; string value = 2; }
  message Sample { double value = 1; int64 timestamp = 2; }
  message Exemplar { repeated Label labels = 1; double value = 2; int64 timestamp = 3; }
  message Histogram { uint64 count_int = 1; double sum = 3; sint32 schema = 4; int64 timestamp = 15; }
  message Meta { uint32 type = 1; string metric_family_name = 2; string help = 4; string unit = 5; }
`).root
const WriteRequest = schema.lookupType('WriteRequest')

interface PlainSeries {
  labels: { name: string; value: string }[]
  samples: { value: number; timestamp: number }[]
}

const labelArbitrary = fc.record({
  name: fc.string({ unit: 'grapheme', maxLength: 12 }),
  value: fc.string({ unit: 'grapheme', maxLength: 200 }),
})
const sampleArbitrary = fc.record({
  value: fc.double({ noNaN: true }),
  timestamp: fc.oneof(fc.integer({ min: 1.5e12, max: 1.9e12 }), fc.maxSafeInteger()),
})
const seriesArbitrary = fc.record({
  labels: fc.array(labelArbitrary, { maxLength: 12 }),
  samples: fc.array(sampleArbitrary, { maxLength: 4 }),
})
const metadataArbitrary = fc.record({
  type: fc.integer({ min: 0, max: 7 }),
  metricFamilyName: fc.string(),
  help: fc.string({ unit: 'grapheme' }),
  unit: fc.string(),
})

function encodeOracle(message: object): Uint8Array {
  return WriteRequest.encode(WriteRequest.fromObject(message)).finish()
}

function labelsOf(reader: RemoteWrite1Reader, i: number): { name: string; value: string }[] {
  const pairs = new LabelPairs()
  const source = reader.labelSource(i)
  pairs.read(source, reader.labelsStart[i]!, reader.labelsEnd[i]!)
  const text = (start: number, end: number) => Buffer.from(source.subarray(start, end)).toString('utf8')
  return Array.from({ length: pairs.count }, (_, k) => {
    const o = pairs.offsets
    return { name: text(o[4 * k]!, o[4 * k + 1]!), value: text(o[4 * k + 2]!, o[4 * k + 3]!) }
  })
}

function readAll(reader: RemoteWrite1Reader): PlainSeries[] {
  const values = new Float64Array(reader.samples.words.buffer)
  return Array.from({ length: reader.seriesCount }, (_, i) => {
    const samples = []
    for (let s = i === 0 ? 0 : reader.sampleEnd[i - 1]!; s < reader.sampleEnd[i]!; s++) {
      samples.push({ value: values[s]!, timestamp: reader.samples.times[s]! })
    }
    return { labels: labelsOf(reader, i), samples }
  })
}

describe('RemoteWrite1Reader', () => {
  test('reads what protobufjs writes', () => {
    const reader = new RemoteWrite1Reader()
    fc.assert(
      fc.property(fc.array(seriesArbitrary, { maxLength: 5 }), fc.array(metadataArbitrary, { maxLength: 3 }), (timeseries, metadata) => {
        reader.read(encodeOracle({ timeseries, metadata }))
        expect(readAll(reader)).toEqual(timeseries.filter((series) => series.samples.length > 0))
        expect(reader.metadataCount).toBe(metadata.length)
        metadata.forEach((entry, i) => {
          const got = reader.metadata(i)
          expect([got.family, got.help, got.unit]).toEqual([entry.metricFamilyName, entry.help, entry.unit])
        })
      }),
      { numRuns: 300 },
    )
  })

  test('keeps the bits of a stale marker', () => {
    const bytes = encodeOracle({ timeseries: [{ labels: [{ name: '__name__', value: 'a' }], samples: [{ value: 1, timestamp: 1.7e12 }] }] })
    const at = bytes.indexOf(0x09) + 1
    bytes.set([2, 0, 0, 0, 0, 0, 0xf0, 0x7f], at)
    const reader = new RemoteWrite1Reader()
    reader.read(bytes)
    expect([reader.samples.words[0], reader.samples.words[1]]).toEqual([2, 0x7ff00000])
  })

  test('takes labels with other fields between them together', () => {
    // labels a=1, sample, labels b=2, unknown field 9
    const label = (name: string, value: string) => [0x0a, 6, 0x0a, 1, name.charCodeAt(0), 0x12, 1, value.charCodeAt(0)]
    const body = [...label('a', '1'), 0x12, 2, 0x10, 5, ...label('b', '2'), 0x48, 1]
    const reader = new RemoteWrite1Reader()
    reader.read(Uint8Array.from([0x0a, body.length, ...body]))
    expect(readAll(reader)).toEqual([
      {
        labels: [
          { name: 'a', value: '1' },
          { name: 'b', value: '2' },
        ],
        samples: [{ value: 0, timestamp: 5 }],
      },
    ])
  })

  test('counts histograms and exemplars, and keeps their series', () => {
    const labels = [{ name: '__name__', value: 'h' }]
    const reader = new RemoteWrite1Reader()
    reader.read(
      encodeOracle({ timeseries: [{ labels, histograms: [{ countInt: 5, sum: 2.5, schema: -3 }], exemplars: [{ labels, value: 2 }] }] }),
    )
    expect([reader.seriesCount, reader.histogramCount, reader.exemplarCount, reader.sampleEnd[0]]).toEqual([1, 1, 1, 0])
  })

  test('asks for aliases with the raw label bytes and does not walk known ones again', () => {
    const reader = new RemoteWrite1Reader()
    const asked: number[] = []
    reader.read(Uint8Array.from([0x0a, 8, 0x0a, 2, 0xff, 0xff, 0x12, 2, 0x10, 5]), 0, undefined, {
      refByWire: (_bytes, start, end) => asked.push(start, end),
    })
    expect(asked).toEqual([2, 6])
    expect(reader.refs[0]).toBe(2)
    expect(() => reader.read(Uint8Array.from([0x0a, 8, 0x0a, 2, 0xff, 0xff, 0x12, 2, 0x10, 5]))).toThrow(WireError)
  })

  test('accepts no damaged bytes that protobufjs refuses for their structure', () => {
    const reader = new RemoteWrite1Reader()
    fc.assert(
      fc.property(
        fc.array(seriesArbitrary, { minLength: 1, maxLength: 3 }),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }),
        fc.nat(),
        (timeseries, flips, cut) => {
          const whole = encodeOracle({ timeseries })
          const bytes = whole.slice(0, cut % 2 === 0 ? whole.length : cut % (whole.length + 1))
          for (const [at, value] of flips) if (bytes.length > 0) bytes[at % bytes.length] = value
          let readable = true
          try {
            reader.read(bytes)
          } catch (error) {
            if (!(error instanceof WireError)) throw error
            readable = false
          }
          if (!readable) return
          // What we read must not reach behind the body, and protobufjs must find the same number of samples if it reads it at all.
          let oracle: { timeseries?: { samples?: unknown[]; exemplars?: unknown[]; histograms?: unknown[] }[] }
          try {
            oracle = WriteRequest.decode(bytes) as never
          } catch {
            return
          }
          const samples = (oracle.timeseries ?? []).reduce((sum, series) => sum + (series.samples?.length ?? 0), 0)
          expect(reader.samples.length).toBe(samples)
        },
      ),
      { numRuns: 1500 },
    )
  })

  test('refuses arbitrary bytes with WireError only', () => {
    const reader = new RemoteWrite1Reader()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          reader.read(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(WireError)
        }
      }),
      { numRuns: 3000 },
    )
  })
})

describe('RemoteWrite1Writer', () => {
  test('writes what protobufjs reads, from 2.0 symbols', () => {
    const writer = new RemoteWrite1Writer()
    fc.assert(
      fc.property(fc.array(seriesArbitrary, { maxLength: 6 }), (input) => {
        writer.reset()
        const symbols = symbolsOf(input.flatMap((series) => series.labels.flatMap((label) => [label.name, label.value])))
        const expected: PlainSeries[] = []
        for (const series of input) {
          const refs = refsField(series.labels.flatMap((label) => [symbols.ref(label.name), symbols.ref(label.value)]))
          for (const sample of series.samples) {
            const words = new Uint32Array(Float64Array.of(sample.value).buffer)
            writer.series(symbols.bytes, symbols.offsets, refs, 0, refs.length, sample.timestamp, words[0]!, words[1]!)
            expected.push({ labels: series.labels, samples: [sample] })
          }
        }
        const reader = new RemoteWrite1Reader()
        reader.read(writer.view())
        expect(readAll(reader)).toEqual(expected)
        const oracle = WriteRequest.toObject(WriteRequest.decode(writer.view()), { longs: Number, defaults: true, arrays: true })
        expect(oracle.timeseries.map((series: PlainSeries) => ({ labels: series.labels, samples: series.samples }))).toEqual(expected)
      }),
      { numRuns: 200 },
    )
  })

  test('writes metadata', () => {
    const writer = new RemoteWrite1Writer()
    writer.metadata({ family: 'up', type: 'gauge', help: 'Whether it is up: ü', unit: 's' })
    const oracle = WriteRequest.toObject(WriteRequest.decode(writer.view()))
    expect(oracle.metadata).toEqual([{ type: 2, metricFamilyName: 'up', help: 'Whether it is up: ü', unit: 's' }])
  })
})

function symbolsOf(texts: string[]) {
  const unique = [...new Set(texts)].filter((text) => text !== '')
  const bytes = Buffer.concat(
    unique.map((text) => {
      const encoded = Buffer.from(text)
      return Buffer.concat([
        Buffer.from(encoded.length < 128 ? [0x22, encoded.length] : [0x22, (encoded.length & 127) | 128, encoded.length >> 7]),
        encoded,
      ])
    }),
  )
  return { bytes, offsets: locateSymbols(bytes, unique.length), ref: (text: string) => unique.indexOf(text) + 1 }
}

function refsField(refs: number[]): Uint8Array {
  const packed = refs.flatMap((ref) => (ref < 128 ? [ref] : [(ref & 127) | 128, ref >> 7]))
  return Uint8Array.from([0x0a, ...(packed.length < 128 ? [packed.length] : [(packed.length & 127) | 128, packed.length >> 7]), ...packed])
}
